package kube_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"go.uber.org/goleak"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
)

func TestMain(m *testing.M) {
	ctrllog.SetLogger(logr.Discard())
	goleak.VerifyTestMain(m)
}

// environment is a real API server with its etcd.
type environment struct {
	admin  kubernetes.Interface
	config *rest.Config
	audit  string // file
}

const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
- level: Metadata
`

// start starts an API server of its own for a test, with more flags. Without its programs the
// test is skipped; under CI that fails it.
func start(t testing.TB, args ...string) *environment {
	t.Helper()
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("KUBEBUILDER_ASSETS is not set")
		}
		t.Skip("KUBEBUILDER_ASSETS is not set: make test-kube sets it")
	}
	dir := t.TempDir()
	policy, audit := filepath.Join(dir, "policy.yaml"), filepath.Join(dir, "audit.log")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		t.Fatal(err)
	}
	env := &envtest.Environment{BinaryAssetsDirectory: assets, ControlPlaneStopTimeout: 10 * time.Second}
	api := env.ControlPlane.GetAPIServer()
	flags := api.Configure()
	flags.Set("audit-policy-file", policy).Set("audit-log-path", audit).Set("audit-log-mode", "blocking-strict")
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		flags.Set(name, value)
	}
	config, err := env.Start()
	if err != nil {
		t.Fatalf("start the API server: %v", err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Errorf("stop the API server: %v", err)
		}
	})
	config.QPS = -1
	e := &environment{admin: kubernetes.NewForConfigOrDie(config), config: config, audit: audit}
	e.apply(t, "../../deploy/rbac.yaml")
	return e
}

// apply creates what is in a file.
func (e *environment) apply(t testing.TB, path string) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	reader := utilyaml.NewDocumentDecoder(file)
	defer reader.Close()
	for buffer := make([]byte, 1<<16); ; {
		n, err := reader.Read(buffer)
		if err != nil {
			break
		}
		object, _, err := scheme.Codecs.UniversalDeserializer().Decode(buffer[:n], nil, nil)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if err := e.create(t, object); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
}

func (e *environment) create(t testing.TB, object runtime.Object) error {
	t.Helper()
	var err error
	ctx, opts := t.Context(), metav1.CreateOptions{}
	switch o := object.(type) {
	case *corev1.Namespace:
		_, err = e.admin.CoreV1().Namespaces().Create(ctx, o, opts)
	case *corev1.ServiceAccount:
		_, err = e.admin.CoreV1().ServiceAccounts(o.Namespace).Create(ctx, o, opts)
	case *rbacv1.ClusterRole:
		_, err = e.admin.RbacV1().ClusterRoles().Create(ctx, o, opts)
	case *rbacv1.ClusterRoleBinding:
		_, err = e.admin.RbacV1().ClusterRoleBindings().Create(ctx, o, opts)
	default:
		return fmt.Errorf("unexpected %T", object)
	}
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// kubeconfig writes one for the agent's ServiceAccount, with its own token.
// Server and CA are the API's own, unless given.
func (e *environment) kubeconfig(t testing.TB, server string, ca []byte) string {
	t.Helper()
	return e.kubeconfigOf(t, "tcpstuck-agent", server, ca)
}

// kubeconfigOf writes one for another ServiceAccount.
func (e *environment) kubeconfigOf(t testing.TB, account, server string, ca []byte) string {
	t.Helper()
	token, err := e.admin.CoreV1().ServiceAccounts("tcpstuck").CreateToken(t.Context(), account,
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(3600))}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if server == "" {
		server, ca = e.config.Host, e.config.CAData
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	err = clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"c": {Server: server, CertificateAuthorityData: ca}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"a": {Token: token.Status.Token}},
		Contexts:       map[string]*clientcmdapi.Context{"x": {Cluster: "c", AuthInfo: "a"}},
		CurrentContext: "x",
	}, path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
