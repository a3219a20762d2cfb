// Package search ranks short texts by how well they fit a question, with BM25 (Robertson and Zaragoza, "The Probabilistic
// Relevance Framework: BM25 and Beyond", 2009) over fields of different weight. There is no model in it and no index on disk:
// a server has hundreds of texts, and looking at them takes less than a millisecond.
package search

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode"
)

// Field is a part of a text. What is found in a weightier one counts for more.
type Field struct {
	Text   string
	Weight float64
}

// Index has the words of all texts.
type Index struct {
	texts  []map[string]float64 // the weight of each word
	length []float64            // the weight of all words of a text
	mean   float64
	in     map[string]int // how many texts have a word
}

// New reads texts. They are known by their places in the list.
func New(texts [][]Field) *Index {
	x := &Index{in: map[string]int{}}
	for _, fields := range texts {
		weights, length := map[string]float64{}, 0.0
		for _, field := range fields {
			for _, word := range words(field.Text) {
				weights[word] += field.Weight
				length += field.Weight
			}
		}
		for word := range weights {
			x.in[word]++
		}
		x.texts, x.length, x.mean = append(x.texts, weights), append(x.length, length), x.mean+length
	}
	x.mean /= max(float64(len(texts)), 1)
	return x
}

// The usual parameters: how soon a word that comes again counts for less, and how much a long text is held to account.
const k1, b = 1.2, 0.75

// Find returns the places of the texts that fit, the best first, and of equals the first first.
func (x *Index) Find(question string) []int {
	asked := words(question)
	slices.Sort(asked)
	asked = slices.Compact(asked)
	scores := make([]float64, len(x.texts))
	for _, word := range asked {
		n := float64(x.in[word])
		rare := math.Log(1 + (float64(len(x.texts))-n+0.5)/(n+0.5))
		for i, weights := range x.texts {
			if f := weights[word]; f > 0 {
				scores[i] += rare * f * (k1 + 1) / (f + k1*(1-b+b*x.length[i]/x.mean))
			}
		}
	}
	var found []int
	for i, score := range scores {
		if score > 0 {
			found = append(found, i)
		}
	}
	slices.SortStableFunc(found, func(i, j int) int { return cmp.Compare(scores[j], scores[i]) })
	return found
}

// stem is how many letters of a word are compared: "convert", "converts" and "conversion" are one word then, in many languages.
// Words that are the same to the last letter count twice.
const stem = 5

func words(text string) (all []string) {
	for _, word := range strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		all = append(all, word)
		if letters := []rune(word); len(letters) >= stem {
			all = append(all, string(letters[:stem])+"…")
		}
	}
	return all
}
