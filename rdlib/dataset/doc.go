// Package dataset turns folders of images, as they are published, into seeded splits and float32 batches.
//
// Open recognises the layout of a folder, decodes every image once to find the unreadable ones, and splits what is left
// into train, val and test; the result is a manifest (path, sha256, label, split) whose hash names the data in every
// record. Images holds one split at a network's input size, NewSampler orders it, and NewLoader fills batches ahead of
// the training step. Whatever is random takes a seed of its own: the split, the order, the augmentation.
//
// # Pixels
//
// PNG, JPEG, BMP, TIFF, WebP and GIF (first frame) are read, 8 and 16 bit, grey, palette and colour. Transparent pixels
// are composited on black. An EXIF orientation is ignored: pixels are taken in the order in which they are stored.
// Images are resized in 8 bits a channel, then scaled and normalised; see Preprocess.
//
// # Memory and augmentation
//
// A Store decodes each image once and keeps it in 8 bits a channel, at the input size; images that are augmented are kept
// larger (Detail), so that their crops are resized from pixels in memory. An Augmentation is drawn anew for each epoch,
// image and copy, and depends on nothing else: not on workers, not on where a run was resumed.
package dataset
