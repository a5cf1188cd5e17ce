package iam_test

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

// formOf writes a request as form parameters, each after an ampersand.
func formOf(in any) string {
	var b strings.Builder
	appendForm(&b, "", reflect.ValueOf(in).Elem())
	return b.String()
}

func appendForm(b *strings.Builder, name string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			appendForm(b, name, v.Elem())
		}
	case reflect.Struct:
		if name != "" {
			name += "."
		}
		for i := range v.NumField() {
			appendForm(b, name+v.Type().Field(i).Name, v.Field(i))
		}
	case reflect.Slice:
		for i := range v.Len() {
			appendForm(b, name+".member."+strconv.Itoa(i+1), v.Index(i))
		}
	default:
		b.WriteString("&" + name + "=" + url.QueryEscape(fmt.Sprint(v.Interface())))
	}
}

// node is an XML element.
type node struct {
	name, text string
	children   []*node
}

// child returns the first child with a name; an empty node if there is none.
func (n *node) child(name string) *node {
	for _, c := range n.children {
		if c.name == name {
			return c
		}
	}
	return new(node)
}

// readXML reads a document, which must be well-formed.
func readXML(t testing.TB, text string) *node {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	stack := []*node{{}}
	for {
		token, err := d.Token()
		if err == io.EOF && len(stack) == 1 && len(stack[0].children) == 1 {
			return stack[0].children[0]
		}
		if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		top := stack[len(stack)-1]
		switch x := token.(type) {
		case xml.StartElement:
			n := &node{name: x.Name.Local}
			top.children = append(top.children, n)
			stack = append(stack, n)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			top.text += string(x)
		}
	}
}

// fill reads a structure of the API from an element.
func fill(t testing.TB, v reflect.Value, n *node) {
	t.Helper()
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), n)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			at, err := time.Parse(time.RFC3339, n.text)
			if err != nil {
				t.Error(err)
			}
			v.Set(reflect.ValueOf(at))
			return
		}
		for _, c := range n.children {
			f := v.FieldByName(strings.ToUpper(c.name[:1]) + c.name[1:])
			if !f.IsValid() {
				t.Errorf("%s has no member %s", v.Type(), c.name)
				continue
			}
			fill(t, f, c)
		}
	case reflect.Slice:
		for _, c := range n.children {
			e := reflect.New(v.Type().Elem()).Elem()
			fill(t, e, c)
			v.Set(reflect.Append(v, e))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for _, c := range n.children {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(t, key, c.child("key"))
			fill(t, value, c.child("value"))
			v.SetMapIndex(key, value)
		}
	case reflect.String:
		v.SetString(n.text)
	case reflect.Bool:
		v.SetBool(n.text == "true")
	case reflect.Int32:
		i, err := strconv.ParseInt(n.text, 10, 32)
		if err != nil {
			t.Error(err)
		}
		v.SetInt(i)
	default:
		t.Errorf("cannot read %s", v.Type())
	}
}
