package api_test

import (
	"fmt"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trent-kms/trent/internal/api"
	iamapi "github.com/trent-kms/trent/internal/api/iam"
	stsapi "github.com/trent-kms/trent/internal/api/sts"
)

func TestDecodeQueryReadsEveryKindOfMember(t *testing.T) {
	for _, tt := range []struct {
		name, form string
		into, want api.QueryShape
	}{
		{"nothing", "", new(iamapi.GetUserRequest), &iamapi.GetUserRequest{}},
		{"text", "Action=CreateUser&Version=2010-05-08&UserName=al%C3%AFce+b&Path=%2Fa%2F",
			new(iamapi.CreateUserRequest), &iamapi.CreateUserRequest{UserName: ptr("alïce b"), Path: ptr("/a/")}},
		{"empty text is there", "Path=&UserName", new(iamapi.CreateUserRequest), &iamapi.CreateUserRequest{UserName: ptr(""), Path: ptr("")}},
		{"unknown parameters are ignored", "Nobody=1&UserName=a&UserName.x=2&X-Amz-Date=3&&", new(iamapi.GetUserRequest), &iamapi.GetUserRequest{UserName: ptr("a")}},
		{"names are those of the model", "username=a&Username=b", new(iamapi.GetUserRequest), &iamapi.GetUserRequest{}},
		{"a boolean and an enumeration", "OnlyAttached=true&Scope=Local", new(iamapi.ListPoliciesRequest),
			&iamapi.ListPoliciesRequest{OnlyAttached: ptr(true), Scope: ptr(iamapi.PolicyScopeTypeLocal)}},
		{"the other notation of booleans", "OnlyAttached=0", new(iamapi.ListPoliciesRequest), &iamapi.ListPoliciesRequest{OnlyAttached: ptr(false)}},
		{"an integer", "MaxItems=-7", new(iamapi.ListUsersRequest), &iamapi.ListUsersRequest{MaxItems: ptr[int32](-7)}},
		{"a list", "TagKeys.member.1=a&TagKeys.member.2=b", new(iamapi.UntagUserRequest), &iamapi.UntagUserRequest{TagKeys: []string{"a", "b"}}},
		{"a list in the order of its indexes, not of their digits", "TagKeys.member.10=c&TagKeys.member.2=b&TagKeys.member.1=a",
			new(iamapi.UntagUserRequest), &iamapi.UntagUserRequest{TagKeys: []string{"a", "b", "c"}}},
		{"a list that begins late and has gaps", "TagKeys.member.999999999=b&TagKeys.member.3=a", new(iamapi.UntagUserRequest), &iamapi.UntagUserRequest{TagKeys: []string{"a", "b"}}},
		{"a list without elements", "TagKeys=", new(iamapi.UntagUserRequest), &iamapi.UntagUserRequest{TagKeys: []string{}}},
		{"structures", "Tags.member.1.Key=a&Tags.member.1.Value=b&Tags.member.2.Key=c&Tags.member.2.Nobody=d", new(iamapi.TagUserRequest),
			&iamapi.TagUserRequest{Tags: []iamapi.Tag{{Key: ptr("a"), Value: ptr("b")}, {Key: ptr("c")}}}},
		{"lists in structures", "ContextEntries.member.1.ContextKeyValues.member.1=v&ContextEntries.member.1.ContextKeyName=n&ContextEntries.member.1.ContextKeyType=stringList&PolicyInputList.member.1=p",
			new(iamapi.SimulateCustomPolicyRequest), &iamapi.SimulateCustomPolicyRequest{PolicyInputList: []string{"p"}, ContextEntries: []iamapi.ContextEntry{
				{ContextKeyName: ptr("n"), ContextKeyValues: []string{"v"}, ContextKeyType: ptr(iamapi.ContextKeyTypeEnumStringList)}}}},
		{"the one name that begins with a small letter", "PolicyArns.member.1.arn=a", new(stsapi.AssumeRoleRequest),
			&stsapi.AssumeRoleRequest{PolicyArns: []stsapi.PolicyDescriptorType{{Arn: ptr("a")}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := api.DecodeQuery(tt.form, tt.into); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, tt.into); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecodeQueryRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, form string
		into       api.QueryShape
		want       string
	}{
		{"a parameter twice", "UserName=a&UserName=b", new(iamapi.GetUserRequest), "Duplicate parameter 'UserName'"},
		{"a parameter twice, once escaped", "UserName=a&User%4eame=a", new(iamapi.GetUserRequest), "Duplicate parameter 'UserName'"},
		{"a parameter twice that nobody looks at", "X=a&X=b", new(iamapi.GetUserRequest), "Duplicate parameter 'X'"},
		{"a broken escape", "UserName=%zz", new(iamapi.GetUserRequest), "The parameters are not a form of UTF-8 text"},
		{"a broken escape in a name", "%=a", new(iamapi.GetUserRequest), "The parameters are not a form of UTF-8 text"},
		{"bytes that are not UTF-8", "UserName=%ff", new(iamapi.GetUserRequest), "The parameters are not a form of UTF-8 text"},
		{"a word for a boolean", "OnlyAttached=yes", new(iamapi.ListPoliciesRequest), "Expected a boolean at 'OnlyAttached'"},
		{"an empty boolean", "OnlyAttached=", new(iamapi.ListPoliciesRequest), "Expected a boolean at 'OnlyAttached'"},
		{"a boolean in capitals", "OnlyAttached=True", new(iamapi.ListPoliciesRequest), "Expected a boolean at 'OnlyAttached'"},
		{"a number with a fraction", "MaxItems=1.0", new(iamapi.ListUsersRequest), "Expected an integer at 'MaxItems'"},
		{"a number with a sign", "MaxItems=%2B1", new(iamapi.ListUsersRequest), "Expected an integer at 'MaxItems'"},
		{"a number with leading zeros", "MaxItems=01", new(iamapi.ListUsersRequest), "Expected an integer at 'MaxItems'"},
		{"a number that does not fit", "MaxItems=2147483648", new(iamapi.ListUsersRequest), "Expected an integer at 'MaxItems'"},
		{"no number", "MaxItems=", new(iamapi.ListUsersRequest), "Expected an integer at 'MaxItems'"},
		{"text for a list", "TagKeys=a", new(iamapi.UntagUserRequest), "Expected a list at 'TagKeys'"},
		{"a list that is empty and is not", "TagKeys=&TagKeys.member.1=a", new(iamapi.UntagUserRequest), "Expected a list at 'TagKeys'"},
		{"a list without member", "TagKeys.1=a", new(iamapi.UntagUserRequest), "Expected an element of a list at 'TagKeys.1'"},
		{"the index 0", "TagKeys.member.0=a", new(iamapi.UntagUserRequest), "Expected an element of a list at 'TagKeys.member.0'"},
		{"a negative index", "TagKeys.member.-1=a", new(iamapi.UntagUserRequest), "Expected an element of a list at 'TagKeys.member.-1'"},
		{"an index in two notations", "TagKeys.member.1=a&TagKeys.member.01=b", new(iamapi.UntagUserRequest), "Expected an element of a list at 'TagKeys.member.01'"},
		{"no index", "TagKeys.member.=a", new(iamapi.UntagUserRequest), "Expected an element of a list at 'TagKeys.member.'"},
		{"an index beyond reason", "TagKeys.member.99999999999=a", new(iamapi.UntagUserRequest), "Expected an element of a list at 'TagKeys.member.99999999999'"},
		{"a structure for text", "TagKeys.member.1.Key=a", new(iamapi.UntagUserRequest), "Expected a string at 'TagKeys.member.1'"},
		{"text for a structure", "Tags.member.1=a", new(iamapi.TagUserRequest), "Expected a structure at 'Tags.member.1'"},
		{"text and a structure", "Tags.member.1=a&Tags.member.1.Key=b", new(iamapi.TagUserRequest), "Expected a structure at 'Tags.member.1'"},
		{"what is wrong inside", "ContextEntries.member.2.ContextKeyValues.x=v", new(iamapi.SimulateCustomPolicyRequest),
			"Expected an element of a list at 'ContextEntries.member.2.ContextKeyValues.x'"},
		{"ten thousand parameters", strings.Repeat("&", 10_000), new(iamapi.GetUserRequest), "More than 10000 parameters"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := api.DecodeQuery(tt.form, tt.into)
			if diff := cmp.Diff(api.SerializationException("%s", tt.want).Error(), errorText(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The request of every operation can be written as a form and read back.
func TestFormsOfAllRequests(t *testing.T) {
	requests, parameters := 0, 0
	for _, o := range queryOperations() {
		want, got := sample(o.NewInput()), o.NewInput()
		form := url.Values{}
		appendForm(form, "", reflect.ValueOf(want).Elem())
		if err := api.DecodeQuery(form.Encode(), got.(api.QueryShape)); err != nil {
			t.Errorf("%s: %v", o.Name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", o.Name, diff)
		}
		requests, parameters = requests+1, parameters+len(form)
	}
	if requests < 100 || parameters < 850 {
		t.Errorf("only %d parameters of %d requests", parameters, requests)
	}
}

// appendForm writes a value as the AWS Query protocol of Smithy says.
func appendForm(form url.Values, name string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		appendForm(form, name, v.Elem())
	case reflect.Slice:
		for i := range v.Len() {
			appendForm(form, name+".member."+strconv.Itoa(i+1), v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			member := v.Type().Field(i).Name
			if v.Type() == reflect.TypeFor[stsapi.PolicyDescriptorType]() {
				member = "arn"
			}
			appendForm(form, strings.TrimPrefix(name+"."+member, "."), v.Field(i))
		}
	default:
		form.Set(name, fmt.Sprint(v.Interface()))
	}
}

// A request of the largest size that is read costs a moment, however its parameters are arranged.
func TestDecodeQueryIsBounded(t *testing.T) {
	many := func(format string) string {
		var b strings.Builder
		for i := range 9_999 {
			fmt.Fprintf(&b, format+"&", i+1)
		}
		return b.String()
	}
	for _, form := range []string{
		many("ContextEntries.member.%d.ContextKeyValues.member.1=v"), many("ContextEntries.member.1.ContextKeyValues.member.%d=v"),
		many("ContextEntries.member.1%08d=v"), many("ActionNames.member.%d=a"), "ContextEntries.member.1." + strings.Repeat("ContextKeyValues.member.1.", 40_000) + "=a",
	} {
		in := new(iamapi.SimulateCustomPolicyRequest)
		allocated := testing.AllocsPerRun(1, func() { _ = api.DecodeQuery(form, in) })
		if allocated > 200_000 {
			t.Errorf("%.40s...: %.0f allocations", form, allocated)
		}
	}
}

// FuzzDecodeQuery reads any form as the request of any operation. It is refused with the one error, or read to a value
// that can be checked, recorded and answered, and that the same parameters in another order give too.
func FuzzDecodeQuery(f *testing.F) {
	operations := queryOperations()
	for i, o := range operations {
		form := url.Values{}
		appendForm(form, "", reflect.ValueOf(sample(o.NewInput())).Elem())
		f.Add(uint8(i), form.Encode())
	}
	for _, seed := range []string{
		"", "UserName=a&UserName=b", "Tags.member.1.Key=a&Tags.member.01.Key=b", "Tags=&TagKeys=", "MaxItems=1e9&MaxItems=%31", "Tags.member.999999999.Key=a",
		"ContextEntries.member.1.ContextKeyValues.member.2=v&ContextEntries.member.1.ContextKeyValues=", "%=%&;", "PolicyArns.member.1.arn=a&PolicyArns.member.1=",
	} {
		for i := range operations {
			f.Add(uint8(i), seed)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, form string) {
		o := operations[int(which)%len(operations)]
		in, again := o.NewInput(), o.NewInput()
		err := api.DecodeQuery(form, in.(api.QueryShape))
		if err != nil {
			if code, _, _ := strings.Cut(errorText(err), ":"); code != "SerializationException" || len(err.Error()) > 1200 {
				t.Errorf("got %v", err)
			}
			return
		}
		_ = api.Check(in)
		_ = in.AppendAudit(nil)
		pairs := strings.Split(form, "&")
		for i, j := 0, len(pairs)-1; i < j; i, j = i+1, j-1 {
			pairs[i], pairs[j] = pairs[j], pairs[i]
		}
		if err := api.DecodeQuery(strings.Join(pairs, "&"), again.(api.QueryShape)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(in, again); diff != "" {
			t.Error(diff)
		}
	})
}
