package search

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func texts(all ...string) [][]Field {
	var texts [][]Field
	for _, text := range all {
		name, description, _ := strings.Cut(text, ":")
		texts = append(texts, []Field{{name, 3}, {description, 1}})
	}
	return texts
}

func TestTheBestIsFirstAndWhatDoesNotFitIsNotThere(t *testing.T) {
	x := New(texts(
		"ffmpeg:Convert, cut and resize audio and video",
		"imagemagick:Convert and edit a picture: resize, crop, rotate",
		"pdf_page:Render a page of a PDF as a picture",
		"jq:Query JSON, and change it",
		"grün:Etwas über Wälder",
		"empty:",
	))
	for question, want := range map[string][]int{
		"crop":                   {1},
		"converting":             {0, 1},
		"resize a VIDEO":         {0, 1, 2},
		"pictures":               {2, 1},
		"query JSON with jq":     {3},
		"pdf":                    {2},
		"pdf_page":               {2},
		"Wäldern":                {4},
		"empty":                  {5},
		"zebra":                  nil,
		"":                       nil,
		"?!":                     nil,
		"video, again: video":    {0},
		"\xff\xfe jq":            {3},
		strings.Repeat("jq ", 9): {3},
	} {
		got := x.Find(question)
		if !slices.Equal(got, want) && (len(want) == 0 || !slices.Equal(got[:min(len(got), len(want))], want)) {
			t.Errorf("%q: got %v, expected %v", question, got, want)
		}
	}
}

func TestANameCountsForMoreThanAMention(t *testing.T) {
	x := New(texts("a:use python for that", "b:not python but a snake of some length", "python:run a script"))
	if got := x.Find("python"); len(got) != 3 || got[0] != 2 {
		t.Errorf("got %v", got)
	}
}

func TestWhatAllHaveDecidesNothing(t *testing.T) {
	x := New(texts("one:run a tool", "two:run a tool that plots", "three:run a tool"))
	if got := x.Find("run a tool for plots"); got[0] != 1 {
		t.Errorf("got %v", got)
	}
}

func TestThereMayBeNothingToFind(t *testing.T) {
	if got := New(nil).Find("x"); got != nil {
		t.Errorf("got %v", got)
	}
}

func BenchmarkFind(b *testing.B) {
	var all []string
	for i := range 1000 {
		all = append(all, fmt.Sprintf("tool%d:%s", i, strings.Repeat("Convert and edit a picture. ", 20)))
	}
	x := New(texts(all...))
	for b.Loop() {
		x.Find("convert a picture to another format")
	}
}
