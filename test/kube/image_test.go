package kube_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
)

// TestDocumentedImageIsTheOneNamed: what the documents build and load has the
// tag that the manifests, applied as they are, look for on the node.
func TestDocumentedImageIsTheOneNamed(t *testing.T) {
	standard := regexp.MustCompile(`(?m)^TAG\s+\?= (\S+)$`).FindStringSubmatch(read(t, "../../Makefile"))
	if standard == nil {
		t.Fatal("the Makefile has no tag")
	}
	images := []string{only[*appsv1.DaemonSet](t, "../../deploy").Spec.Template.Spec.Containers[0].Image}
	for _, d := range all[*appsv1.Deployment](t, "../../reproducer/kind") {
		images = append(images, d.Spec.Template.Spec.Containers[0].Image)
	}
	for _, path := range []string{"../../README.md", "../../docs/getting-started.md", "../../reproducer/kind/README.md"} {
		built := regexp.MustCompile(`(?m)^[#$] make (?:\w+ )*image\b(.*)$`).FindAllStringSubmatch(read(t, path), -1)
		if len(built) == 0 {
			t.Errorf("%s builds no image", path)
		}
		for _, command := range built {
			tag := standard[1]
			if given := regexp.MustCompile(`\bTAG=(\S+)`).FindStringSubmatch(command[1]); given != nil {
				tag = given[1]
			}
			for _, image := range images {
				if !strings.HasSuffix(image, ":"+tag) {
					t.Errorf("%s: %q makes no %s", path, command[0], image)
				}
			}
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	return string(must[[]byte](t)(os.ReadFile(path)))
}
