package audit

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// paper reads the paper's tables; replace changes cells.
func paper(t *testing.T) []*Table {
	t.Helper()
	files, err := filepath.Glob("../paper/*.csv")
	if err != nil || len(files) != 7 {
		t.Fatal(files, err)
	}
	var tables []*Table
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		tables = append(tables, table(t, strings.TrimSuffix(filepath.Base(path), ".csv"), string(text)))
	}
	return tables
}

func table(t *testing.T, name, text string) *Table {
	t.Helper()
	table, err := Read(name, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// named is one of the tables.
func named(tables []*Table, name string) *Table {
	return tables[slices.IndexFunc(tables, func(t *Table) bool { return t.Name == name })]
}

// cellOf is a place in a table: the row that begins with the labels, and the column of a heading.
func cellOf(t *testing.T, table *Table, labels, column string) *string {
	t.Helper()
	k := slices.Index(table.Header, column)
	for _, row := range table.Rows {
		if k >= 0 && strings.HasPrefix(strings.Join(row, ","), labels+",") {
			return &row[k]
		}
	}
	t.Fatalf("%s has no %s, %s", table.Name, labels, column)
	return nil
}

func run(t *testing.T, tables ...*Table) []Finding {
	t.Helper()
	report, err := Run(tables, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return report.Findings
}

// matching are the findings of a kind about a place, whose details hold all the texts.
func matching(findings []Finding, kind Kind, table, row, column string, says ...string) []Finding {
	return slices.DeleteFunc(slices.Clone(findings), func(f Finding) bool {
		return f.Kind != kind || f.Table != table || f.Row != row || f.Column != column ||
			slices.ContainsFunc(says, func(text string) bool { return !strings.Contains(f.Detail, text) })
	})
}

func count(findings []Finding, kind Kind) (n int) {
	for _, f := range findings {
		if f.Kind == kind {
			n++
		}
	}
	return n
}

func wantOne(t *testing.T, findings []Finding, kind Kind, table, row, column string, says ...string) {
	t.Helper()
	if n := len(matching(findings, kind, table, row, column, says...)); n != 1 {
		t.Errorf("%d findings %s about %s, %s, %s that say %q; there are", n, kind, table, row, column, says)
		for _, f := range findings {
			t.Logf("%+v", f)
		}
	}
}

func TestTheErrataOfThePaper(t *testing.T) {
	findings := run(t, paper(t)...)
	for _, want := range []struct {
		kind               Kind
		table, row, column string
		says               []string
	}{
		{Repeated, "table4", "BUSI, ResNet18, ShuffleNet, MobileNet", "AdaptFormer", []string{"80.20, 78.93, 79.95", "BTC, AdaptFormer"}},
		{Granularity, "table4", "BUSI, ResNet18", "AdaptFormer", []string{"80.20 is not k/154"}},
		{Granularity, "table4", "BUSI, ShuffleNet", "AdaptFormer", []string{"78.93 is not k/154"}},
		{Granularity, "table4", "BUSI, MobileNet", "AdaptFormer", []string{"79.95 is not k/154"}},
		{Repeated, "table4", "ISIC, ResNet18, ShuffleNet, MobileNet", "AdaptFormer", []string{"ISIC, RD"}},
		{Average, "table4", "Average", "AdaptFormer", []string{"79.50", "BUSI, AdaptFormer", "ISIC, AdaptFormer"}},
		{Granularity, "table4", "BUSI, ShuffleNet", "VPT", []string{"84.77"}},
		{Granularity, "table4", "BUSI, ShuffleNet", "VQT", []string{"84.77"}},
		{Granularity, "table4", "COVID, MobileNet", "LPT", []string{"75.85 is not k/203", "75.8621"}},
		{Granularity, "table3", "BTC, MobileNet, LVM-Med", "MGD", []string{"72.91 is not k/394"}},
		{Undetermined, "table2", "", "accuracy", []string{"4 of its 4 accuracies are k/203", "COVID"}},
		{Claim, "table2", "cotraining_reprogramming, kd, cka", "accuracy", []string{"85.71", "no cell of COVID in table3, table4"}},
		{Gain, "table5", "PMC-CLIP", "BUSI", []string{"6.71", "6.92"}},
		{Gain, "table5", "RadDenseNet", "BUSI", []string{"5.19", "6.92"}},
		{Gain, "table5", "LVM-Med", "BUSI", []string{"6.06", "7.14"}},
		{Gain, "table5", "PMC-CLIP", "BTC", []string{"2.11", "2.29"}},
		{Claim, "table3", "", "AT", []string{"no column"}},
		{Claim, "table3", "", "RD", []string{"24 of 27"}},
		{Truncated, "table3", "BUSI, ShuffleNet, PMC-CLIP", "MGD", []string{"84.41", "84.4156"}},
		{Truncated, "table3", "BUSI, ShuffleNet, RadDenseNet", "MGD", []string{"84.41"}},
		{Truncated, "table3", "BUSI, MobileNet, RadDenseNet", "MGD", []string{"82.46"}},
		{Claim, "table5", "data_size", "ChestXray", []string{"6326", "7135", "table1"}},
		{Undetermined, "table5", "PMC-CLIP", "COVID", []string{"only ResNet18 of its 3 students"}},
	} {
		wantOne(t, findings, want.kind, want.table, want.row, want.column, want.says...)
	}
	for kind, want := range map[Kind]int{Granularity: 7, Truncated: 3, Average: 1, Gain: 4, Repeated: 2} {
		if n := count(findings, kind); n != want {
			t.Errorf("%d findings %s, want %d", n, kind, want)
		}
	}
}

func TestTestImagesOfThePaper(t *testing.T) {
	report, err := Run(paper(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{"BUSI": 154, "BTC": 394, "ISIC": 1512, "COVID": 203, "ChestXray": 771}
	for _, size := range report.Sizes {
		if want[size.Dataset] != size.Images || size.Given {
			t.Errorf("%s", size)
		}
	}
	if len(report.Sizes) != len(want) {
		t.Errorf("%v", report.Sizes)
	}
}

// A wrong accuracy is found wherever it stands.
func TestEveryChangedAccuracyIsFound(t *testing.T) {
	images := map[string]int64{"BUSI": 154, "BTC": 394, "ISIC": 1512, "COVID": 203, "ChestXray": 771}
	before := run(t, paper(t)...)
	for name, first := range map[string]int{"table3": 2, "table4": 2} {
		for i, row := range named(paper(t), name).Rows {
			if row[0] == "Average" {
				continue
			}
			for k := first; k < len(row); k++ {
				tables := paper(t)
				if named(tables, name).Header[k] == "teacher" || i%3 != k%3 { // a third of them, for speed
					continue
				}
				changed := &named(tables, name).Rows[i][k]
				v, _ := parseNumber(*changed)
				for _, how := v.of(images[row[0]]); how != noFit; _, how = v.of(images[row[0]]) {
					v.scaled++
				}
				known := *changed == v.String() // it is wrong as printed
				*changed = v.String()
				findings := run(t, tables...)
				wantOne(t, findings, Granularity, name, newLayout(named(tables, name), 0).rowName(i), named(tables, name).Header[k], v.String())
				if n := count(findings, Granularity); !known && n != count(before, Granularity)+1 {
					t.Errorf("%s, row %d, column %d: %d findings", name, i, k, n)
				}
			}
		}
	}
}

func TestChangedAveragesAndGains(t *testing.T) {
	tables := paper(t)
	*cellOf(t, named(tables, "table4"), "Average", "MeLo") = "78.85"
	*cellOf(t, named(tables, "table5"), "LVM-Med", "BTC") = "4.01"
	*cellOf(t, named(tables, "table5"), "RadDenseNet", "BUSI") = "6.92" // mended
	findings := run(t, tables...)
	wantOne(t, findings, Average, "table4", "Average", "MeLo", "78.85", "78.8")
	wantOne(t, findings, Gain, "table5", "LVM-Med", "BTC", "4.01", "3.98", "RD", "student_scratch")
	if count(findings, Gain) != 4 {
		t.Errorf("%d gains", count(findings, Gain))
	}
	// A change of the accuracies shows in the average and the gain too.
	tables = paper(t)
	*cellOf(t, named(tables, "table4"), "COVID,ResNet18", "MeLo") = "80.30"
	*cellOf(t, named(tables, "table3"), "BTC,ShuffleNet,78.17,LVM-Med", "RD") = "81.98"
	findings = run(t, tables...)
	wantOne(t, findings, Average, "table4", "Average", "MeLo", "78.83")
	wantOne(t, findings, Gain, "table5", "LVM-Med", "BTC", "3.98", "4.49")
}

// Methods, students and data sets are known by their numbers and places, not by their names.
func TestOtherNames(t *testing.T) {
	rename := strings.NewReplacer("RD\n", "Ours\n", "AdaptFormer", "Adapter X", "BUSI", "Breast", "COVID", "Lung", "LVM-Med", "Model 3", "MGD", "foo", "ResNet18", "net A")
	var tables []*Table
	for i := 2; i <= 5; i++ {
		name := fmt.Sprintf("table%d", i)
		text, err := os.ReadFile("../paper/" + name + ".csv")
		if err != nil {
			t.Fatal(err)
		}
		tables = append(tables, table(t, name, rename.Replace(string(text))))
	}
	findings := run(t, tables...)
	wantOne(t, findings, Claim, "table3", "", "Ours", "24 of 27")
	wantOne(t, findings, Repeated, "table4", "Breast, net A, ShuffleNet, MobileNet", "Adapter X", "BTC, Adapter X")
	wantOne(t, findings, Repeated, "table4", "ISIC, net A, ShuffleNet, MobileNet", "Adapter X", "ISIC, Ours")
	wantOne(t, findings, Gain, "table5", "Model 3", "Breast", "7.14", "Ours less student_scratch")
	wantOne(t, findings, Granularity, "table3", "BTC, MobileNet, Model 3", "foo", "72.91")
	wantOne(t, findings, Undetermined, "table2", "", "accuracy", "Lung")
	for kind, want := range map[Kind]int{Granularity: 7, Truncated: 3, Average: 1, Gain: 4, Repeated: 2} {
		if n := count(findings, kind); n != want {
			t.Errorf("%d findings %s, want %d", n, kind, want)
		}
	}
}

// invented is a table of accuracies with so many test images, all shares of them, rounded.
func invented(t *testing.T, seed uint64, images map[string]int) *Table {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 1))
	text := "Data set,Student,Alone (scratch),A,B,C,D\n"
	for _, dataset := range []string{"one", "two", "three"} {
		for student := range 5 {
			text += fmt.Sprintf("%s,s%d", dataset, student)
			for range 5 {
				text += fmt.Sprintf(",%.2f", 100*float64(images[dataset]*6/10+random.IntN(images[dataset]*3/10))/float64(images[dataset]))
			}
			text += "\n"
		}
	}
	return table(t, "invented", text)
}

func TestOtherNumbersOfTestImages(t *testing.T) {
	for seed := range uint64(20) {
		images := map[string]int{"one": 41 + int(seed)*3, "two": 150 + int(seed)*7, "three": 700 + int(seed)*31}
		tab := invented(t, seed, images)
		report, err := Run([]*Table{tab}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range report.Findings {
			if f.Kind != Claim {
				t.Errorf("%v: %+v", images, f)
			}
		}
		for _, size := range report.Sizes {
			if int(size.Images) != images[size.Dataset] {
				t.Errorf("%s, there are %d", size, images[size.Dataset])
			}
		}
		wrong := cellOf(t, tab, "two,s3", "C")
		v, _ := parseNumber(*wrong)
		v.scaled += 12
		for _, how := v.of(int64(images["two"])); how != noFit; _, how = v.of(int64(images["two"])) {
			v.scaled++
		}
		*wrong = v.String()
		wantOne(t, run(t, tab), Granularity, "invented", "two, s3", "C", fmt.Sprintf("k/%d", images["two"]))
	}
}

func TestGivenTestImages(t *testing.T) {
	images := map[string]int{"one": 50, "two": 200, "three": 900}
	tab := invented(t, 1, images)
	if report, err := Run([]*Table{tab}, Options{Images: map[string]int{"Two": 199}}); err != nil || count(report.Findings, Granularity) < 10 || report.Sizes[1].Given != true {
		t.Errorf("%v, %v", report, err)
	}
	for name, n := range map[string]int{"four": 3, "one": 0} {
		if _, err := Run([]*Table{tab}, Options{Images: map[string]int{name: n}}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	withN := table(t, "t", "dataset,n,A,B\nx,8,12.50,37.50\nx,8,12.50,30.00\n")
	wantOne(t, run(t, withN), Granularity, "t", "x", "B", "k/8")
}

// Numbers that are no shares of anything get no number of test images.
func TestNoNumberOfTestImages(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 5))
	text := "dataset,student,A,B\n"
	for i := range 12 {
		text += fmt.Sprintf("x,s%d,%.2f,%.2f\n", i, 100*random.Float64(), 100*random.Float64())
	}
	wantOne(t, run(t, table(t, "t", text)), Undetermined, "t", "x", "", "cannot be told", "--images")
}

func TestRepeatedColumns(t *testing.T) {
	images := map[string]int{"one": 100, "two": 300, "three": 800}
	fill := func(tab *Table, from, to string, column, other string) {
		for student := range 5 {
			*cellOf(t, tab, fmt.Sprintf("%s,s%d", to, student), other) = *cellOf(t, tab, fmt.Sprintf("%s,s%d", from, student), column)
		}
	}
	tab := invented(t, 2, images)
	fill(tab, "three", "three", "A", "D") // another method
	fill(tab, "two", "one", "B", "B")     // another data set
	findings := run(t, tab)
	wantOne(t, findings, Repeated, "invented", "one, s0, s1, s2, s3, s4", "B", "two, B", "does not fit")
	if n := len(matching(findings, Repeated, "invented", "three, s0, s1, s2, s3, s4", "D")) + len(matching(findings, Repeated, "invented", "three, s0, s1, s2, s3, s4", "A")); n != 1 || count(findings, Repeated) != 2 {
		t.Errorf("%+v", findings)
	}
	tab = invented(t, 3, images)
	for _, dataset := range []string{"one", "two", "three"} {
		fill(tab, dataset, dataset, "C", "A")
	}
	if findings := run(t, tab); count(findings, Repeated) != 1 {
		t.Errorf("a whole column: %+v", findings)
	}
	// Where most cells agree anyway, equal columns mean nothing.
	text := "dataset,student,A,B,C,D\n"
	for i := range 4 {
		text += fmt.Sprintf("x,s%d,50.00,50.00,50.00,50.00\ny,s%d,25.00,25.00,25.00,%d.00\n", i, i, 25+i%2)
	}
	if findings := run(t, table(t, "t", text)); count(findings, Repeated) != 0 {
		t.Errorf("%+v", findings)
	}
}

func TestAveragesOfPartsAndRows(t *testing.T) {
	tab := table(t, "t", `dataset,student,A,B,Mean
x,s1,50.00,60.00,55.00
x,s2,70.00,81.00,75.50
x,average,60.00,70.50,
y,s1,10.00,20.00,15.10
y,s2,30.00,41.00,35.50
y,average,20.00,31.50,
`)
	findings := run(t, tab)
	wantOne(t, findings, Average, "t", "y, s1", "Mean", "15.10", "15.00")
	wantOne(t, findings, Average, "t", "y, average", "B", "31.50", "30.50")
	if count(findings, Average) != 2 {
		t.Errorf("%+v", findings)
	}
}

func TestClaims(t *testing.T) {
	tables := paper(t)
	*cellOf(t, named(tables, "table3"), "BTC,ShuffleNet,78.17,LVM-Med", "RD") = "78.17"
	wantOne(t, run(t, tables...), Claim, "table3", "", "RD", "23 of 27", "BTC, ShuffleNet, LVM-Med: RD 78.17, MGD 79.95")

	tables = paper(t)
	three := named(tables, "table3")
	three.Header = append(three.Header, "AT")
	for i := range three.Rows {
		three.Rows[i] = append(three.Rows[i], "77.92")
	}
	if len(matching(run(t, tables...), Claim, "table3", "", "AT")) != 0 {
		t.Error("a method that is there is missed")
	}
	// The best in every row is nothing to tell of; in few rows nobody claims it.
	for _, text := range []string{"dataset,A,B\nx,10.00,20.00\ny,50.00,60.00\n", "dataset,A,B\nx,30.00,20.00\ny,50.00,60.00\n"} {
		if findings := run(t, table(t, "t", text)); count(findings, Claim) != 0 {
			t.Errorf("%+v", findings)
		}
	}
	claims := table(t, "claims", "table,claim,subject\nt,best,A\nother,compares,C\n")
	findings := run(t, table(t, "t", "dataset,A,B\nx,10.00,20.00\ny,50.00,60.00\n"), claims)
	wantOne(t, findings, Claim, "t", "", "A", "0 of 2")
	wantOne(t, findings, Undetermined, "other", "", "", "not there")
	if _, err := Run([]*Table{table(t, "claims", "table,claim,subject\nt,worst,A\n")}, Options{}); err == nil || !strings.Contains(err.Error(), "row 1") {
		t.Error(err)
	}
}

func TestCellsThatAreNoAccuracies(t *testing.T) {
	for text, kind := range map[string]Kind{"": Undetermined, "abc": Undetermined, "NaN": Undetermined, "8e1": Undetermined, "80,20": Undetermined, "0x1p-2": Undetermined,
		"∞": Undetermined, "185.71": Granularity, "-80.20": Granularity, "9999999999": Undetermined} {
		tables := paper(t)
		*cellOf(t, named(tables, "table3"), "BTC,MobileNet,76.90,PMC-CLIP", "CRD") = text
		findings := run(t, tables...)
		wantOne(t, findings, kind, "table3", "BTC, MobileNet, PMC-CLIP", "CRD", "BTC, MobileNet, PMC-CLIP, CRD")
		tables = paper(t)
		*cellOf(t, named(tables, "table5"), "LVM-Med", "BTC") = "much"
		*cellOf(t, named(tables, "table4"), "Average", "LPT") = text
		findings = run(t, tables...)
		wantOne(t, findings, Undetermined, "table5", "LVM-Med", "BTC", "no number")
		if len(matching(findings, Undetermined, "table4", "Average", "LPT"))+len(matching(findings, Average, "table4", "Average", "LPT")) != 1 {
			t.Errorf("an average %q: %+v", text, findings)
		}
	}
}

func TestARowWithoutDataSet(t *testing.T) {
	tables := paper(t)
	*cellOf(t, named(tables, "table3"), "BTC,MobileNet,76.90,PMC-CLIP", "dataset") = ""
	wantOne(t, run(t, tables...), Undetermined, "table3", "MobileNet, PMC-CLIP", "dataset", "row 16", "no data set")
}

func TestUnknownColumns(t *testing.T) {
	wantOne(t, run(t, table(t, "t", "foo,bar\n1,2.50\n")), Undetermined, "t", "", "", "nothing of t was checked")
	wantOne(t, run(t, table(t, "t", "dataset,note\nx,y\n")), Undetermined, "t", "", "", "nothing of t was checked")
	if findings := run(t, append(paper(t), table(t, "t", "foo,bar\n1,2.50\n"))...); len(findings) != len(run(t, paper(t)...))+1 {
		t.Error("a strange table changes what is found in others")
	}
}

func TestFilesThatAreNoTables(t *testing.T) {
	for text, want := range map[string]string{
		"": "empty", "\n\n": "empty", "a,b\n": "no row", "a,b\n1\n": "line 2", "a,b\n1,2,3\n": "line 2", "a,A\n1,2\n": `headed "A"`, "a,b\n\"1,2\n": "line 2",
	} {
		if _, err := Read("file.csv", strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "file.csv") {
			t.Errorf("%q: %v", text, err)
		}
	}
	tab, err := Read("t", strings.NewReader("\ufeffdataset, A ,\r\n x ,1.50,\r\n"))
	if err != nil || tab.Header[0] != "dataset" || tab.Header[1] != "A" || tab.Header[2] != "column 3" || tab.Rows[0][0] != "x" {
		t.Errorf("%v, %v", tab, err)
	}
	if _, err := Run([]*Table{tab, tab}, Options{}); err == nil || !strings.Contains(err.Error(), "name t") {
		t.Error(err)
	}
	if report, err := Run(nil, Options{}); err != nil || len(report.Findings) != 0 {
		t.Errorf("%v, %v", report, err)
	}
}

// Whatever stands in the tables, the audit ends without a panic.
func TestDamagedTables(t *testing.T) {
	random := rand.New(rand.NewPCG(8, 8))
	strange := []string{"", "Average", "0", "1", "100.00", "-1", "dataset", "BUSI", "x y", "99.999999999", "n", "scratch", "\x00", "0.0000001"}
	for range 150 {
		tables := paper(t)
		for _, tab := range tables {
			if tab.Name == "claims" {
				continue
			}
			for range 1 + random.IntN(8) {
				row := tab.Rows[random.IntN(len(tab.Rows))]
				row[random.IntN(len(row))] = strange[random.IntN(len(strange))]
			}
			if k := random.IntN(2 * len(tab.Header)); k < len(tab.Header) {
				tab.Header[k] = strange[random.IntN(len(strange))] + fmt.Sprint(random.IntN(9))
			}
			if random.IntN(4) == 0 {
				tab.Rows = tab.Rows[:1]
			}
		}
		random.Shuffle(len(tables), func(i, k int) { tables[i], tables[k] = tables[k], tables[i] })
		run(t, tables[:1+random.IntN(len(tables))]...)
	}
}

// A mean over seeds is a share of all their test images; where these differ it is not checked, and that is said.
func TestMeansOverSeeds(t *testing.T) {
	text := "dataset,A,A n,A test images,A state\nx,33.33,3,2,done\nx,50.00,1,2,done\nx,16.67,1,2,done\nx,,0,,not run\ny,12.34,2,9–10,done\n"
	findings := run(t, table(t, "t", text))
	wantOne(t, findings, Granularity, "t", "x", "A", "16.67 is not k/2")
	wantOne(t, findings, Undetermined, "t", "y", "", "differs between the runs")
	if len(findings) != 2 {
		t.Errorf("%+v", findings)
	}
	rows := run(t, table(t, "t", "method,test_images,seeds,accuracy\na,2,3,33.33\nb,2,1,33.33\n"))
	wantOne(t, rows, Granularity, "t", "b", "accuracy", "k/2")
	if len(rows) != 1 {
		t.Errorf("%+v", rows)
	}
}

// Few different values may agree by chance, but not shares of other test images.
func TestAColumnOfAnotherDataSet(t *testing.T) {
	tables := paper(t)
	three := named(tables, "table3")
	for _, teacher := range []string{"PMC-CLIP", "RadDenseNet", "LVM-Med"} {
		*cellOf(t, three, "ISIC,ResNet18,70.50,"+teacher, "RD") = *cellOf(t, three, "BUSI,ResNet18,77.92,"+teacher, "RD")
	}
	wantOne(t, run(t, tables...), Repeated, "table3", "ISIC, ResNet18, PMC-CLIP, RadDenseNet, LVM-Med", "RD", "88.31, 88.31, 88.96", "BUSI, RD", "does not fit")
}

// A gain over seeds follows from means over the same seeds alone.
func TestGainsOverSeeds(t *testing.T) {
	accuracies := "dataset,student,teacher,scratch,scratch n,scratch test images,RD,RD n,RD test images\nx,s1,T,50.00,2,10,65.00,2,10\nx,s2,T,45.00,2,10,50.00,2,10\nx,s1,U,50.00,2,10,60.00,1,10\n"
	for gains, want := range map[string]Kind{"model,x,x n\nT,10.00,2\n": "", "model,x,x n\nT,10.50,2\n": Gain, "model,x,x n\nT,10.50,1\n": Undetermined,
		"model,x,x n\nU,15.00,1\n": Undetermined, "model,x,x n\nV,15.00,1\n": Undetermined} {
		findings := run(t, table(t, "a", accuracies), table(t, "g", gains))
		if want == "" && len(findings) > 0 || want != "" && (len(findings) != 1 || findings[0].Kind != want || findings[0].Table != "g") {
			t.Errorf("%q: %+v", gains, findings)
		}
	}
}

func TestGainsOfRowsOverOthers(t *testing.T) {
	text := "dataset,student,row,gain over,accuracy,gain,±,verdict,accuracy n,gain n,accuracy test images,accuracy state,gain state\n" +
		"x,s,a,,50.00,–,–,–,2,0,8,done,done\n" + "x,s,b,a,62.50,12.50,3,a difference,2,2,8,done,done\n" + "x,s,c,b,,,,not run,0,0,,not run,not run\n" +
		"x,u,a,,56.25,–,–,–,2,0,8,done,done\n" + "x,u,b,a,50.00,-6.25,90,within noise,2,2,8,done,done\n"
	if found := run(t, table(t, "t", text)); len(found) > 0 {
		t.Errorf("%+v", found)
	}
	for _, c := range []struct {
		old, changed string
		kind         Kind
		row, says    string
	}{
		{"62.50,12.50", "62.50,12.60", Gain, "x, s, b", "difference is 12.50"},
		{"-6.25", "6.25", Gain, "x, u, b", "difference is -6.25"},
		{"x,u,b,a", "x,u,b,d", Undetermined, "x, u, b", `no row "d"`},
		{"62.50,12.50", "62.50,much", Undetermined, "x, s, b", `"much" is no number`},
		{"a difference,2,2", "a difference,2,1", Undetermined, "x, s, b", "of 1 seeds"},
		{"x,s,c,b,,,,not run,0,0,,not run,not run", "x,s,c,b,,9.00,,not run,0,2,,not run,done", Undetermined, "x, s, c", "are not there"},
	} {
		changed := strings.Replace(text, c.old, c.changed, 1)
		if changed == text {
			t.Fatalf("%q is not in the table", c.old)
		}
		if len(matching(run(t, table(t, "t", changed)), c.kind, "t", c.row, "gain", c.says)) != 1 {
			t.Errorf("%s for %s: %+v", c.changed, c.old, run(t, table(t, "t", changed)))
		}
	}
}
