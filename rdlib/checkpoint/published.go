package checkpoint

import (
	"slices"

	"rd/rdlib/dataset"
)

// Publication is what is known of a published model beside its weights.
type Publication struct {
	Name    string                                     // as users give it
	Title   string                                     // in side-cars
	input   func(height, width int) dataset.Preprocess // the preprocessing it was trained with
	Licence string                                     // "" where it is not known here
	Data    string                                     // what it was trained on
	Seen    []string                                   // data sets among that, or overlapping with it, as their folders are called
}

// Input is the preprocessing the model was trained with, at the given size.
func (p Publication) Input(height, width int) dataset.Preprocess { return p.input(height, width) }

// ImageNet is the Publication of weights of which no other is recognised: torchvision's preprocessing.
const ImageNet = "imagenet"

// Publications are those that are known.
var Publications = []Publication{
	{Name: ImageNet, input: dataset.DefaultPreprocess},
	{Name: "half", input: halves},
	{Name: "clip", input: clipInput},
	{Name: "pmc_clip", Title: "PMC-CLIP", Data: "figures and captions of PubMed Central (PMC-OA)", input: clipInput},
	{Name: "radimagenet", Title: "RadImageNet", Data: "RadImageNet: CT, MRI and ultrasound images", input: radImageNetInput},
	{Name: "lvm_med", Title: "LVM-Med", Data: "1.3 million medical images of 55 data sets, COVID CT and ISIC 2019 among them", input: dataset.DefaultPreprocess,
		Licence: "CC BY-NC-ND 4.0", Seen: []string{"covid_ct", "covid-ct", "isic2019", "isic2018"}}, // ISIC 2019 contains the images of 2018's task 3
}

// PublicationNames returns the names of the Publications.
func PublicationNames() []string {
	var names []string
	for _, p := range Publications {
		names = append(names, p.Name)
	}
	return names
}

// FindPublication returns the Publication of a name, and false for another name.
func FindPublication(name string) (Publication, bool) {
	i := slices.IndexFunc(Publications, func(p Publication) bool { return p.Name == name })
	if i < 0 {
		return Publication{}, false
	}
	return Publications[i], true
}

// halves is (x−127.5)/127.5 on RGB, with which Google's vision transformers were trained.
func halves(height, width int) dataset.Preprocess {
	p := dataset.DefaultPreprocess(height, width)
	p.Scale, p.Mean, p.Std = 1, [3]float32{127.5, 127.5, 127.5}, [3]float32{127.5, 127.5, 127.5}
	return p
}

func radImageNetInput(height, width int) dataset.Preprocess {
	p := halves(height, width)
	p.Channels = dataset.BGR
	return p
}

func clipInput(height, width int) dataset.Preprocess {
	p := dataset.DefaultPreprocess(height, width)
	p.Filter = dataset.Bicubic
	p.Mean, p.Std = [3]float32{0.48145466, 0.4578275, 0.40821073}, [3]float32{0.26862954, 0.26130258, 0.27577711}
	return p
}

// Publication guesses what was published by the architecture and how its tensors are named: RadImageNet's networks are cut
// into their children, PMC-CLIP's encoder gives 768 features, and LVM-Med's SAM encoder has tables of positions for 1024
// pixels and stands by itself.
func (m *Match) Publication() Publication {
	name := ImageNet
	switch {
	case m.children:
		name = "radimagenet"
	case m.Architecture == "clip_resnet50" && m.Network.FeatureDim() == 768:
		name = "pmc_clip"
	case m.Architecture == "clip_resnet50":
		name = "clip"
	case m.Architecture == "vit_sam" && m.bare && m.Config.Windows.Table == 1024:
		name = "lvm_med"
	}
	p, _ := FindPublication(name)
	return p
}
