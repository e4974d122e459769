package dataset

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// The ways to bring an image to the input size.
const (
	// Stretch scales both sides to the input size, whatever the aspect ratio.
	Stretch = "stretch"
	// ShortSideCrop scales the shorter side to ShortSide, keeping the aspect ratio, and cuts the input size from the middle.
	ShortSideCrop = "short side, centre crop"
)

// The filters of a resize. Both widen with the scale when an image shrinks, so that no pixel is left out.
const (
	Bilinear = "bilinear, antialiased" // triangle
	Bicubic  = "bicubic, antialiased"  // Catmull-Rom, a = −½
)

// The orders of channels. A network's input always has three.
const (
	RGB  = "RGB"
	BGR  = "BGR"
	Grey = "grey" // luma (Rec. 601) in all three
)

// ImageNet's channel statistics, the convention of torchvision's networks.
var (
	ImageNetMean = [3]float32{0.485, 0.456, 0.406}
	ImageNetStd  = [3]float32{0.229, 0.224, 0.225}
)

// Preprocess says how an image becomes a network's input, for teachers and students alike:
//
//	value[c] = (pixel[c]·Scale − Mean[c]) / Std[c]
//
// with pixels in 0…255 after the resize, which rounds to 8 bits as image libraries do. The convention (x−127.5)/127.5
// is Scale 1, Mean 127.5, Std 127.5. Mean and Std are in the order of Channels.
type Preprocess struct {
	Height    int        `json:"height"`
	Width     int        `json:"width"`
	Resize    string     `json:"resize"`               // Stretch or ShortSideCrop
	ShortSide int        `json:"short_side,omitempty"` // of ShortSideCrop; at least Height and Width
	Filter    string     `json:"filter"`               // Bilinear or Bicubic
	Channels  string     `json:"channels"`             // RGB, BGR or Grey
	Scale     Scale      `json:"scale"`
	Mean      [3]float32 `json:"mean"`
	Std       [3]float32 `json:"std"`
}

// DefaultPreprocess stretches to height × width, RGB, with ImageNet's mean and standard deviation.
func DefaultPreprocess(height, width int) Preprocess {
	return Preprocess{Height: height, Width: width, Resize: Stretch, Filter: Bilinear, Channels: RGB, Scale: 1.0 / 255, Mean: ImageNetMean, Std: ImageNetStd}
}

// maxSide guards against sizes typed wrong.
const maxSide = 8192

// Validate says what of p makes no sense.
func (p Preprocess) Validate() error {
	if p.Height < 1 || p.Width < 1 || p.Height > maxSide || p.Width > maxSide {
		return fmt.Errorf("input size %d×%d is outside 1…%d pixels", p.Height, p.Width, maxSide)
	}
	switch p.Resize {
	case Stretch:
		if p.ShortSide != 0 {
			return fmt.Errorf("resize %q takes no short side, and %d is given", p.Resize, p.ShortSide)
		}
	case ShortSideCrop:
		if p.ShortSide < max(p.Height, p.Width) || p.ShortSide > maxSide {
			return fmt.Errorf("a short side of %d does not cover the centre crop of %d×%d", p.ShortSide, p.Height, p.Width)
		}
	default:
		return fmt.Errorf("resize %q is neither %q nor %q", p.Resize, Stretch, ShortSideCrop)
	}
	if p.Filter != Bilinear && p.Filter != Bicubic {
		return fmt.Errorf("filter %q is neither %q nor %q", p.Filter, Bilinear, Bicubic)
	}
	if p.Channels != RGB && p.Channels != BGR && p.Channels != Grey {
		return fmt.Errorf("channels %q are none of %s, %s, %s", p.Channels, RGB, BGR, Grey)
	}
	if !(p.Scale > 0) {
		return fmt.Errorf("scale %v is not positive", float64(p.Scale))
	}
	for c := range 3 {
		if !(p.Std[c] > 0) || p.Mean[c] != p.Mean[c] {
			return fmt.Errorf("channel %d is normalised with mean %v and std %v: the std must be positive", c, p.Mean[c], p.Std[c])
		}
	}
	return nil
}

// Len is the number of values of one image, 3·Height·Width.
func (p Preprocess) Len() int { return 3 * p.Height * p.Width }

var shortSideText = regexp.MustCompile(`^short side (\d+), cent(?:re|er) crop(?: (\d+)(?:\s*[x×]\s*(\d+))?)?$`)

// SetResize reads a side-car's description: "stretch", or "short side 112, centre crop 96" with a crop of one number or
// HxW. The crop becomes the input size where p has none yet, and must agree with it otherwise.
func (p *Preprocess) SetResize(text string) error {
	text = strings.ToLower(strings.TrimSpace(text))
	if text == Stretch {
		p.Resize, p.ShortSide = Stretch, 0
		return nil
	}
	m := shortSideText.FindStringSubmatch(text)
	if m == nil {
		return fmt.Errorf("resize %q is neither \"stretch\" nor \"short side N, centre crop HxW\"", text)
	}
	number := func(s string) int {
		n, err := strconv.Atoi(s)
		if err != nil {
			return 0
		}
		return n
	}
	height, width := p.Height, p.Width
	if m[2] != "" {
		height, width = number(m[2]), number(m[2])
	}
	if m[3] != "" {
		width = number(m[3])
	}
	if p.Height == 0 && p.Width == 0 {
		p.Height, p.Width = height, width
	}
	if height != p.Height || width != p.Width {
		return fmt.Errorf("resize %q crops %d×%d, and the input size is %d×%d", text, height, width, p.Height, p.Width)
	}
	p.Resize, p.ShortSide = ShortSideCrop, number(m[1])
	return nil
}

// ResizeText is the description SetResize reads.
func (p Preprocess) ResizeText() string {
	if p.Resize != ShortSideCrop {
		return p.Resize
	}
	if p.Height == p.Width {
		return fmt.Sprintf("short side %d, centre crop %d", p.ShortSide, p.Height)
	}
	return fmt.Sprintf("short side %d, centre crop %dx%d", p.ShortSide, p.Height, p.Width)
}

// Scale is the factor on pixel values 0…255; in JSON a number, or a fraction such as "1/255".
type Scale float64

// ParseScale reads a number or a fraction.
func ParseScale(text string) (Scale, error) {
	numerator, denominator, fraction := strings.Cut(text, "/")
	n, err := strconv.ParseFloat(strings.TrimSpace(numerator), 64)
	d := 1.0
	if err == nil && fraction {
		d, err = strconv.ParseFloat(strings.TrimSpace(denominator), 64)
	}
	if s := Scale(n / d); err == nil && s > 0 && s < 1e9 {
		return s, nil
	}
	return 0, fmt.Errorf("scale %q is neither a positive number nor a fraction such as \"1/255\"", text)
}

func (s Scale) String() string {
	if s == 1.0/255 {
		return "1/255"
	}
	return strconv.FormatFloat(float64(s), 'g', -1, 64)
}

// MarshalJSON writes 1/255 as a fraction and anything else as a number.
func (s Scale) MarshalJSON() ([]byte, error) {
	if s == 1.0/255 {
		return json.Marshal(s.String())
	}
	return json.Marshal(float64(s))
}

// UnmarshalJSON accepts a number, a number as text, or a fraction.
func (s *Scale) UnmarshalJSON(data []byte) (err error) {
	text := string(data)
	if strings.HasPrefix(text, `"`) {
		if err := json.Unmarshal(data, &text); err != nil {
			return err
		}
	}
	*s, err = ParseScale(text)
	return err
}
