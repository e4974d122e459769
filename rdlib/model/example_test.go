package model_test

import (
	"fmt"
	"log"

	"rd/rdlib/model"
)

// The numbers behind a row of the paper's Table 6.
func ExampleNetwork_Cost() {
	net, err := model.New("mobilenet", model.Config{Classes: 2})
	if err != nil {
		log.Fatal(err)
	}
	c, err := net.Cost(3, 224, 224)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d parameters, %d MACs, F %d\n", c.Parameters, c.MACs, c.F())
	fmt.Printf("printed as %.2f / %.2f\n", c.PaperParams(), c.PaperFLOPs())
	// Output:
	// 2226434 parameters, 299496832 MACs, F 312915776
	// printed as 1.06 / 1.17
}

// A reprogramming module: two residual blocks on a teacher's map of 96 channels, ending at a student's 512 features.
func ExampleBuilder() {
	b := model.NewBuilder("phi", 96, 7, 7)
	x := b.Scope("0").BasicBlock(b.Input(), 256, 1)
	x = b.Scope("1").BasicBlock(x, 512, 2)
	b.FeatureMap(x)
	b.Pooled(b.GlobalAvgPool("pool", x))
	phi, err := b.Network()
	if err != nil {
		log.Fatal(err)
	}
	shapes, err := phi.Shapes(96, 7, 7)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(phi.FeatureDim(), shapes.FeatureMap, phi.Parameters()[0].Name)
	// Output:
	// 512 [512 4 4] 0.conv1.weight
}
