// Package phantom draws synthetic ultrasound images: a stand-in where no real images are at hand, in tests, quick
// reproductions and benchmarks. Nothing about a method's worth follows from them, and every folder is marked, so that
// all results from it say "phantom".
//
// An image is a map of echogenicity in decibels (tissue layers, lobules, a lesion and what lies in its shadow) that
// modulates complex Gaussian scatterers; the scatterers are blurred by the transducer's point spread, their magnitude is
// Rayleigh-like speckle, and its logarithm is what a scanner shows:
//
//	grey = level + 20·log₁₀ |PSF ∗ (10^(E/20) · n)| / range,  n complex Gaussian
//
// Lengths are in units of the image's side, so a scene does not depend on its size in pixels; angles are in radians,
// depth grows downwards.
package phantom
