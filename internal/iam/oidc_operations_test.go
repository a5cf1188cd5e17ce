package iam

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

func TestProviders(t *testing.T) {
	w := newSTSWorld(t)
	root := w.rootOf(home)
	a := root.must("CreateOpenIDConnectProvider", append([]string{
		"Url", idpURL, "ClientIDList.member.1", "b", "ClientIDList.member.2", "a", "ClientIDList.member.3", "b", "ThumbprintList.member.1", strings.Repeat("AB", 20),
	}, tagParameters("Team", "blue")...)...)
	arn := a.get("OpenIDConnectProviderArn")
	if want := "arn:aws:iam::" + home + ":oidc-provider/" + idpName; arn != want || a.get("Key") != "Team" {
		t.Errorf("%s", a.body)
	}
	on := func(action string, more ...string) stsAnswer {
		t.Helper()
		return root.must(action, append([]string{"OpenIDConnectProviderArn", arn}, more...)...)
	}
	shows := func(url, members, tags string) {
		t.Helper()
		g := on("GetOpenIDConnectProvider")
		if g.get("Url") != url || strings.Join(g.values["member"], " ") != members || strings.Join(g.values["Value"], " ") != tags || g.get("CreateDate") == "" {
			t.Errorf("%s", g.body)
		}
	}
	print1, print2 := strings.Repeat("ab", 20), strings.Repeat("cd", 20)
	shows(idpName, "b a "+print1, "blue")
	on("AddClientIDToOpenIDConnectProvider", "ClientID", "c")
	on("AddClientIDToOpenIDConnectProvider", "ClientID", "c")
	on("RemoveClientIDFromOpenIDConnectProvider", "ClientID", "b")
	on("RemoveClientIDFromOpenIDConnectProvider", "ClientID", "b")
	on("UpdateOpenIDConnectProviderThumbprint", "ThumbprintList.member.1", print2)
	on("TagOpenIDConnectProvider", tagParameters("TEAM", "red", "a", "1")...)
	shows(idpName, "a c "+print2, "1 red")
	page := on("ListOpenIDConnectProviderTags", "MaxItems", "1")
	if page.get("Key") != "a" || page.get("IsTruncated") != "true" {
		t.Errorf("%s", page.body)
	}
	if page = on("ListOpenIDConnectProviderTags", "Marker", page.get("Marker")); page.get("Key") != "TEAM" || page.get("IsTruncated") != "false" {
		t.Errorf("%s", page.body)
	}
	on("UntagOpenIDConnectProvider", "TagKeys.member.1", "team", "TagKeys.member.2", "none")
	shows(idpName, "a c "+print2, "1")
	if got := root.must("ListOpenIDConnectProviders").get("Arn"); got != arn {
		t.Errorf("listed %s", got)
	}
	if got := w.rootOf(abroad).must("ListOpenIDConnectProviders").values["Arn"]; got != nil {
		t.Errorf("another account lists %s", got)
	}
	on("DeleteOpenIDConnectProvider")
	on("DeleteOpenIDConnectProvider")
	for _, action := range []string{"GetOpenIDConnectProvider", "ListOpenIDConnectProviderTags"} {
		root.do(action, "OpenIDConnectProviderArn", arn).fails("NoSuchEntity", arn)
	}
	root.do("AddClientIDToOpenIDConnectProvider", "OpenIDConnectProviderArn", arn, "ClientID", "c").fails("NoSuchEntity", arn)
}

func TestWrongProviders(t *testing.T) {
	w := newSTSWorld(t)
	root := w.rootOf(home)
	for _, url := range []string{
		"token.example.com", "http://token.example.com", "https://", "https://user@token.example.com", "https://token.example.com?x=1", "https://token.example.com/?",
		"https://token.example.com#x", "ftp://token.example.com", "https:///path", "https://token.example.com/ä", "https://token.example.com/a b", "HTTPS://token.example.com",
		"https://" + strings.Repeat("x", 248), "https://aws", "https://STS", "http://10.0.0.1:80", "https://token.example.com/\"",
	} {
		root.do("CreateOpenIDConnectProvider", "Url", url).fails("ValidationError", "")
	}
	create := func(more ...string) stsAnswer {
		return root.do("CreateOpenIDConnectProvider", append([]string{"Url", idpURL}, more...)...)
	}
	create("ThumbprintList.member.1", strings.Repeat("x", 40)).fails("InvalidInput", "thumbprint")
	create("ThumbprintList.member.1", "ab").fails("ValidationError", "thumbprintList")
	var six []string
	for i := range 6 {
		six = append(six, fmt.Sprintf("ThumbprintList.member.%d", i+1), fmt.Sprintf("%040d", i))
	}
	create(six...).fails("InvalidInput", "Thumbprint list")
	create(tagParameters("a", "1", "A", "2")...).fails("InvalidInput", "Duplicate tag keys")
	var clients []string
	for i := range 101 {
		clients = append(clients, fmt.Sprintf("ClientIDList.member.%d", i+1), fmt.Sprint("client", i))
	}
	create(clients...).fails("LimitExceeded", "ClientIdsPerOpenIdConnectProvider: 100")
	if a := create(clients[:200]...); a.status != 200 {
		t.Errorf("a hundred clients: %s", a.body)
	}
	create().fails("EntityAlreadyExists", "Provider with url "+idpURL+" already exists.")
	root.do("CreateOpenIDConnectProvider", "Url", "https://localhost").get("OpenIDConnectProviderArn")
	for _, bad := range []string{
		"arn:aws:iam::" + home + ":oidc-provider/", "arn:aws:iam::" + home + ":user/alice", "arn:aws:iam::" + home + ":oidc-provider//x", "aaaaaaaaaaaaaaaaaaaaaaaa",
		"arn:aws:iam::" + home + ":oidc-provider/ä",
	} {
		root.do("GetOpenIDConnectProvider", "OpenIDConnectProviderArn", bad).fails("InvalidInput", "ARN")
	}
}

func TestWhoMayChangeProviders(t *testing.T) {
	w := newSTSWorld(t)
	arn := w.rootOf(home).must("CreateOpenIDConnectProvider", append([]string{"Url", idpURL}, tagParameters("Team", "blue")...)...).get("OpenIDConnectProviderArn")
	nobody := w.user(home, "nobody", "")
	text := func(action string) string {
		return "User: " + arnOfUser(home, "nobody") + " is not authorized to perform: iam:" + action + " on resource: " + arn
	}
	for _, action := range []string{"GetOpenIDConnectProvider", "DeleteOpenIDConnectProvider", "ListOpenIDConnectProviderTags"} {
		nobody.do(action, "OpenIDConnectProviderArn", arn).fails("AccessDenied", text(action))
	}
	nobody.do("CreateOpenIDConnectProvider", "Url", idpURL).fails("AccessDenied", text("CreateOpenIDConnectProvider"))
	w.rootOf(abroad).do("GetOpenIDConnectProvider", "OpenIDConnectProviderArn", arn).fails("AccessDenied", "iam:GetOpenIDConnectProvider")
	blue := w.user(home, "blue", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:*","Resource":"`+arn+`","Condition":{"StringEquals":{"aws:ResourceTag/team":"blue"}}}]}`)
	blue.must("GetOpenIDConnectProvider", "OpenIDConnectProviderArn", arn)
	creator := w.user(home, "creator", allowing("*", "iam:CreateOpenIDConnectProvider"))
	creator.must("CreateOpenIDConnectProvider", "Url", "https://a.example")
	creator.do("CreateOpenIDConnectProvider", append([]string{"Url", "https://b.example"}, tagParameters("k", "v")...)...).fails("AccessDenied", "iam:TagOpenIDConnectProvider")
}

// The quota holds however many ask at once, and what is deleted does not count.
func TestProviderQuota(t *testing.T) {
	w := newSTSWorld(t)
	root := w.rootOf(home)
	var all sync.WaitGroup
	var mu sync.Mutex
	made := 0
	for n := range 2 {
		all.Go(func() {
			for i := range 60 {
				if root.do("CreateOpenIDConnectProvider", "Url", fmt.Sprintf("https://p%d-%d.example", n, i)).status == 200 {
					mu.Lock()
					made++
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	listed := root.must("ListOpenIDConnectProviders").values["Arn"]
	if made != maxProviders || len(listed) != maxProviders {
		t.Errorf("%d were made, %d are listed", made, len(listed))
	}
	root.do("CreateOpenIDConnectProvider", "Url", "https://more.example").fails("LimitExceeded", "OpenIdConnectProvidersPerAccount: 100")
	root.must("DeleteOpenIDConnectProvider", "OpenIDConnectProviderArn", listed[0])
	root.must("CreateOpenIDConnectProvider", "Url", "https://more.example")
	w.rootOf(abroad).must("CreateOpenIDConnectProvider", "Url", "https://more.example")
}

// A record that was moved to another account's place is no provider of it.
func TestMovedProvider(t *testing.T) {
	w, i, _ := app(t)
	r, err := w.store.Get(t.Context(), providerPath(home, idpName))
	if err != nil || r.Revision == 0 {
		t.Fatal(err)
	}
	for _, path := range []string{providerPath(abroad, idpName), providerPath(home, "other.example")} {
		w.put(path, r.Value)
	}
	role := w.role(abroad, "app", trustingProvider("arn:aws:iam::"+abroad+":oidc-provider/"+idpName))
	w.web(role, i.token(i.with(nil))).fails("InvalidIdentityToken", "No OpenIDConnect provider found")
	w.rootOf(home).do("GetOpenIDConnectProvider", "OpenIDConnectProviderArn", "arn:aws:iam::"+home+":oidc-provider/other.example").fails("NoSuchEntity", "")
}
