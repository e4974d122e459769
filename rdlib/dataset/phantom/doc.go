// Package phantom draws synthetic images: stand-ins for five published data sets where no real images are at hand, in
// tests, quick reproductions and benchmarks, and corpora to pre-train miniature teachers on. Nothing about a method's worth
// follows from them, and every folder is marked, so that all results from it say "phantom".
//
// Each modality is drawn from the quantity that it measures, and from what the device does to it.
//
// Ultrasound (Breast) is a map of echogenicity in decibels that modulates complex Gaussian scatterers; the scatterers are
// blurred by the transducer's point spread, their magnitude is Rayleigh-like speckle, and its logarithm is what is shown:
//
//	grey = level + 20·log₁₀ |PSF ∗ (10^(E/20) · n)| / range,  n complex Gaussian
//
// CT (LungCT) is a map of Hounsfield units, blurred and noisy, shown in a window. MRI (BrainMRI) is a map of the T1-weighted
// signal after contrast medium, with a coil's uneven gain and the noise of a magnitude, |s + n|. An X-ray (ChestXRay) is a
// sum of what the beam loses in soft tissue, bone and lung. Dermoscopy is light that melanin and blood absorb.
//
// Lengths are in units of the image's side, so a scene does not depend on its size in pixels; angles are in radians,
// depth grows downwards. The classes of a phantom are distributions that overlap: Atypical, Faint and Mimic are the
// probabilities of images that no reader could name.
package phantom
