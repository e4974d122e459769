package golden

import "strings"

// The packages whose tests read vector files.
const (
	Model   = "model"
	Distill = "distill"
	PEFT    = "peft"
	Stat    = "stat"
	Rest    = "golden" // files that no other package reads yet, listed by this package's own test
)

// family is a kind of vector files: the file NAME.json and every file NAME_….json.
type family struct {
	name  string
	owner string // the one package whose tests read these files
	about string
}

// families are the known ones. A file belongs to the family with the longest name that fits.
var families = []family{
	{"arch", Model, "architecture with a classifier"},
	{"arch_params", Model, "parameter lists of architectures"},
	{"clip_resnet", Model, "ResNet image encoder of CLIP"},
	{"vit", Model, "vision transformer"},

	{"cka", Distill, "linear CKA loss"},
	{"kd", Distill, "knowledge distillation by logits (KD)"},
	{"rd_total", Distill, "total loss of RD"},
	{"at", Distill, "attention transfer (AT)"},
	{"crd", Distill, "contrastive representation distillation (CRD)"},
	{"hint", Distill, "hints (FitNets)"},
	{"mgd", Distill, "masked generative distillation (MGD)"},
	{"norm", Distill, "N-to-one representation matching (NORM)"},
	{"rkd", Distill, "relational knowledge distillation (RKD)"},
	{"semckd", Distill, "semantic calibration (SemCKD)"},
	{"sp", Distill, "similarity preservation (SP)"},
	{"vid", Distill, "variational information distillation (VID)"},

	{"adaptformer", PEFT, "parameter-efficient fine-tuning with AdaptFormer"},
	{"lpt", PEFT, "long-tailed prompt tuning (LPT)"},
	{"melo", PEFT, "parameter-efficient fine-tuning with MeLo"},
	{"vpt", PEFT, "visual prompt tuning (VPT)"},
	{"vqt", PEFT, "visual query tuning (VQT)"},
	{"metrics", Stat, "evaluation metrics"},
}

// familyOf returns the family of the file with the given base name; a file of none falls to Rest.
func familyOf(name string) family {
	best := family{owner: Rest}
	for _, f := range families {
		if (name == f.name || strings.HasPrefix(name, f.name+"_")) && len(f.name) > len(best.name) {
			best = f
		}
	}
	return best
}

// missing says why no test reads the family's files.
func (f family) missing() string {
	if f.name == "" {
		return "unknown, no package reads a file of this name"
	}
	return f.about + ", not built yet"
}
