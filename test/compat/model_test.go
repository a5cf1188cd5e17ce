// Package compat compares Trent's generated API with the public AWS SDK for Go. It is a module of its own so that the
// server does not depend on the SDK. To follow a newer API: raise the SDK's version in go.mod, run these tests, add what
// they name to internal/api/model, and run go generate ./internal/api.
package compat

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

// comparison walks an SDK type and ours side by side.
type comparison struct {
	t       *testing.T
	visited map[reflect.Type]bool // of the SDK
	members int
	values  int // of enumerations
}

// TestModelHasEverythingTheSDKHas fails on any operation, member, type or value of an enumeration that one side has and
// the other has not.
func TestModelHasEverythingTheSDKHas(t *testing.T) {
	ours := map[string]api.OperationInfo{}
	for _, o := range kmsapi.Operations() {
		ours[o.Name] = o
	}
	c := &comparison{t: t, visited: map[reflect.Type]bool{}}
	operations := 0
	client := reflect.TypeFor[*kms.Client]()
	for i := range client.NumMethod() {
		method := client.Method(i)
		if method.Type.NumIn() != 4 || !strings.HasSuffix(method.Type.In(2).String(), "kms."+method.Name+"Input") {
			continue // Options
		}
		operations++
		o, ok := ours[method.Name]
		if !ok {
			t.Errorf("operation %s is missing", method.Name)
			continue
		}
		delete(ours, method.Name)
		c.compare(method.Name+"Input", method.Type.In(2), reflect.TypeOf(o.NewInput()))
		c.compare(method.Name+"Output", method.Type.Out(0), reflect.TypeOf(o.NewOutput()))
	}
	for name := range ours {
		t.Errorf("operation %s is not in the SDK", name)
	}
	t.Logf("compared %d operations, %d members, %d values", operations, c.members, c.values)
	if operations < 56 || c.members < 430 || c.values < 170 {
		t.Fatalf("compared only %d operations, %d members, %d values", operations, c.members, c.values)
	}
}

func (c *comparison) compare(at string, sdk, ours reflect.Type) {
	for sdk.Kind() == reflect.Pointer {
		sdk = sdk.Elem()
	}
	for ours.Kind() == reflect.Pointer {
		ours = ours.Elem()
	}
	if sdk.Kind() != ours.Kind() {
		c.t.Errorf("%s is %s, ours is %s", at, sdk, ours)
		return
	}
	switch {
	case c.visited[sdk] || sdk == reflect.TypeFor[time.Time]():
	case sdk.Kind() == reflect.Struct:
		c.visited[sdk] = true
		c.structure(at, sdk, ours)
	case sdk.Kind() == reflect.Slice:
		c.compare(at+"[]", sdk.Elem(), ours.Elem())
	case sdk.Kind() == reflect.String && sdk != reflect.TypeFor[string]():
		c.visited[sdk] = true
		c.enum(at, sdk, ours)
	}
}

func (c *comparison) structure(at string, sdk, ours reflect.Type) {
	for i := range sdk.NumField() {
		field := sdk.Field(i)
		if field.Name == "ResultMetadata" || !field.IsExported() {
			continue
		}
		c.members++
		own, ok := ours.FieldByName(field.Name)
		if !ok {
			c.t.Errorf("%s lacks %s", at, field.Name)
			continue
		}
		c.compare(at+"."+field.Name, field.Type, own.Type)
	}
	for i := range ours.NumField() {
		if _, ok := sdk.FieldByName(ours.Field(i).Name); !ok {
			c.t.Errorf("%s has %s, which the SDK has not", at, ours.Field(i).Name)
		}
	}
}

func (c *comparison) enum(at string, sdk, ours reflect.Type) {
	want, got := values(sdk), values(ours)
	c.values += len(want)
	for _, v := range want {
		if !slices.Contains(got, v) {
			c.t.Errorf("%s (%s) lacks the value %s", ours, at, v)
		}
	}
	for _, v := range got {
		if !slices.Contains(want, v) {
			c.t.Errorf("%s (%s) has the value %s, which the SDK has not", ours, at, v)
		}
	}
}

// values returns what the method Values of an enumeration does; none if it has no such method.
func values(enum reflect.Type) []string {
	var texts []string
	if method := reflect.Zero(enum).MethodByName("Values"); method.IsValid() {
		list := method.Call(nil)[0]
		for i := range list.Len() {
			texts = append(texts, list.Index(i).String())
		}
	}
	return texts
}

func TestEveryErrorOfTheSDKIsModeled(t *testing.T) {
	ours := map[string]int{}
	for _, e := range kmsapi.Errors() {
		ours[e.Code] = e.Status
	}
	n := 0
	for id, entry := range kms.TypeRegistry.Entries {
		e, ok := entry.New().(interface{ ErrorCode() string })
		if !ok {
			continue
		}
		n++
		if ours[e.ErrorCode()] == 0 {
			t.Errorf("%s is missing", id)
		}
		delete(ours, e.ErrorCode())
	}
	for code := range ours {
		t.Errorf("%s is not in the SDK", code)
	}
	if n < 48 {
		t.Fatalf("compared only %d errors", n)
	}
}
