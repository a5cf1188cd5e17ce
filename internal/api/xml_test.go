package api_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trent-kms/trent/internal/api"
	iamapi "github.com/trent-kms/trent/internal/api/iam"
	stsapi "github.com/trent-kms/trent/internal/api/sts"
)

// xmlOutput is an answer of a Query service.
type xmlOutput interface {
	AppendXML(b []byte, requestID string) []byte
}

func TestAnswersAsXML(t *testing.T) {
	date := time.Date(2019, 12, 2, 14, 39, 0, 999, time.FixedZone("", 3600))
	tag := []iamapi.Tag{{Key: ptr("k"), Value: ptr("<v>")}, {}}
	for _, tt := range []struct {
		name string
		out  xmlOutput
		want string // without what surrounds every answer
	}{
		{"no answer but that it is done", new(iamapi.DeleteUserResponse),
			`<DeleteUserResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"></DeleteUserResponse>`},
		{"an answer without members has its element", new(iamapi.UpdateRoleResponse),
			`<UpdateRoleResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><UpdateRoleResult></UpdateRoleResult></UpdateRoleResponse>`},
		{"an empty list is there", &iamapi.ListUsersResponse{IsTruncated: ptr(false)},
			`<ListUsersResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ListUsersResult><Users></Users><IsTruncated>false</IsTruncated></ListUsersResult></ListUsersResponse>`},
		{"structures, lists of them and dates", &iamapi.CreateUserResponse{User: &iamapi.User{
			UserName: ptr("a&b"), CreateDate: &date, Tags: tag, PermissionsBoundary: new(iamapi.AttachedPermissionsBoundary)}},
			`<CreateUserResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><CreateUserResult><User><UserName>a&amp;b</UserName><CreateDate>2019-12-02T13:39:00Z</CreateDate>` +
				`<PermissionsBoundary></PermissionsBoundary><Tags><member><Key>k</Key><Value>&lt;v&gt;</Value></member><member></member></Tags></User></CreateUserResult></CreateUserResponse>`},
		{"a list in a structure is only there if it was set", &iamapi.GetUserResponse{User: &iamapi.User{}},
			`<GetUserResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><GetUserResult><User></User></GetUserResult></GetUserResponse>`},
		{"a map of numbers", &iamapi.GetAccountSummaryResponse{SummaryMap: map[iamapi.SummaryKeyType]int32{iamapi.SummaryKeyTypeUsersQuota: 5000, iamapi.SummaryKeyTypeUsers: 2}},
			`<GetAccountSummaryResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><GetAccountSummaryResult><SummaryMap><entry><key>Users</key><value>2</value></entry>` +
				`<entry><key>UsersQuota</key><value>5000</value></entry></SummaryMap></GetAccountSummaryResult></GetAccountSummaryResponse>`},
		{"numbers and text", &stsapi.AssumeRoleResponse{PackedPolicySize: ptr[int32](6), Credentials: &stsapi.Credentials{SessionToken: ptr("a\x00b\xff")}},
			`<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><SessionToken>a` + "\ufffdb\ufffd" + `</SessionToken></Credentials>` +
				`<PackedPolicySize>6</PackedPolicySize></AssumeRoleResult></AssumeRoleResponse>`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := string(tt.out.AppendXML(nil, "r<1>"))
			got = strings.Replace(got, `<ResponseMetadata><RequestId>r&lt;1&gt;</RequestId></ResponseMetadata>`, "", 1)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Every member of every answer is in the XML, at its place and in its order.
func TestXMLOfAllAnswers(t *testing.T) {
	answers, elements := 0, 0
	for _, o := range queryOperations() {
		out := o.NewOutput()
		if n := reflect.TypeOf(out).Elem().NumField(); n > 0 {
			out = sample(out)
		}
		prefix := o.Name + "Response/"
		want := append(values(prefix+o.Name+"Result", reflect.ValueOf(out).Elem()), prefix+"ResponseMetadata/RequestId = id")
		got := leaves(t, out.(xmlOutput).AppendXML(nil, "id"))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", o.Name, diff)
		}
		answers, elements = answers+1, elements+len(got)
	}
	if answers < 100 || elements < 6000 {
		t.Errorf("only %d elements of %d answers", elements, answers)
	}
}

// values lists the leaves of a value as leaves does those of its XML.
func values(path string, v reflect.Value) (list []string) {
	if date, ok := v.Interface().(time.Time); ok {
		return []string{path + " = " + date.Format(time.RFC3339)}
	}
	switch v.Kind() {
	case reflect.Pointer:
		return values(path, v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			list = append(list, values(path+"/"+v.Type().Field(i).Name, v.Field(i))...)
		}
	case reflect.Slice:
		for i := range v.Len() {
			list = append(list, values(path+"/member", v.Index(i))...)
		}
	case reflect.Map:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, key := range keys {
			list = append(append(list, path+"/entry/key = "+key.String()), values(path+"/entry/value", v.MapIndex(key))...)
		}
	default:
		return []string{path + " = " + fmt.Sprint(v.Interface())}
	}
	return list
}

// leaves lists the elements with text, each with its path.
func leaves(t *testing.T, document []byte) (list []string) {
	t.Helper()
	d, path, text := xml.NewDecoder(strings.NewReader(string(document))), []string{}, ""
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatalf("%v in %s", err, document)
		}
		switch token := token.(type) {
		case xml.StartElement:
			path, text = append(path, token.Name.Local), ""
		case xml.CharData:
			text += string(token)
		case xml.EndElement:
			if text != "" {
				list = append(list, strings.Join(path, "/")+" = "+text)
			}
			path, text = path[:len(path)-1], ""
		}
	}
}

func TestErrorsHaveTheCodesOfTheModel(t *testing.T) {
	for _, tt := range []struct {
		err    *api.Error
		code   string
		status int
	}{
		{iamapi.NoSuchEntityException("x"), "NoSuchEntity", 404},
		{iamapi.EntityAlreadyExistsException("x"), "EntityAlreadyExists", 409},
		{iamapi.MalformedPolicyDocumentException("x"), "MalformedPolicyDocument", 400},
		{iamapi.DeleteConflictException("x"), "DeleteConflict", 409},
		{iamapi.LimitExceededException("x"), "LimitExceeded", 409},
		{iamapi.ServiceNotSupportedException("x"), "NotSupportedService", 404},
		{iamapi.ServiceFailureException("x"), "ServiceFailure", 500},
		{stsapi.IDPRejectedClaimException("x"), "IDPRejectedClaim", 403},
		{stsapi.ExpiredTokenException("x"), "ExpiredTokenException", 400},
	} {
		if tt.err.Code != tt.code || tt.err.Status != tt.status || !tt.err.Modeled() || tt.err.Message != "x" {
			t.Errorf("got %v, %d, want %s, %d", tt.err, tt.err.Status, tt.code, tt.status)
		}
	}
	if api.ExpiredTokenException("x").Modeled() {
		t.Error("an error of all services is taken for one of a model")
	}
}
