package distill_test

import (
	"encoding/json"
	"fmt"

	"rd/rdlib/distill"
)

func ExampleNew() {
	method, err := distill.New("rd", map[string]string{"beta": "0.5", "phi-depth": "1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	options, err := json.MarshalIndent(method.Options(), "", " ")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(options))
	fmt.Printf("%+v\n", method.Needs())

	_, err = distill.New("rd", map[string]string{"bta": "0.5"})
	fmt.Println(err != nil)
	// Output:
	// {
	//  "alpha": 1,
	//  "beta": 0.5,
	//  "decay": "step",
	//  "decay-end": 0,
	//  "kd": true,
	//  "cka": true,
	//  "temperature": 1,
	//  "detach-teacher": "none",
	//  "cotrain": true,
	//  "phi-input": "feature-map",
	//  "phi-depth": 1,
	//  "phi-width": 0
	// }
	// {Maps:true Stages:false Pooled:false Logits:false Items:false EpochProgress:false}
	// true
}
