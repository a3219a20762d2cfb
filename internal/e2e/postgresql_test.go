package e2e

import (
	"crypto/rand"
	"strings"
	"testing"
)

// TestSQLAgainstAPostgreSQLServer has a skill talk to a server on a network: one skill, an instance for each server.
func TestSQLAgainstAPostgreSQLServer(t *testing.T) {
	const password = "not-in-any-log"
	host := "skillet-trial-db-" + strings.ToLower(rand.Text()[:8])
	network := host
	docker(t, "build", "-q", "-t", "skillet/postgresql", root+"/images/postgresql")
	docker(t, "network", "create", network)
	// After the end of the skillet that is started below: its idle containers are on the network.
	t.Cleanup(func() {
		docker(t, "rm", "-fv", host)
		docker(t, "network", "rm", network)
	})
	docker(t, "run", "-d", "--name", host, "--network", network, "--user", "postgres", "-e", "PGPASSWORD="+password, "skillet/postgresql", "serve-for-trial")

	s := serve(t, `
[skills.e2e_psql]
title = "SQL"
args = ["-X", "--csv", "-v", "ON_ERROR_STOP=1", "-h", "`+host+`", "-U", "postgres", "-d", "postgres"]
stdin = "{sql}"
parameters.sql = { type = "string", required = true }
[skills.e2e_psql.docker]
image = "skillet/postgresql"
entrypoint = "psql"
network = "`+network+`"
[skills.e2e_psql.instances.right]
env.PGPASSWORD = "${E2E_PASSWORD}"
[skills.e2e_psql.instances.wrong]
env.PGPASSWORD = "guess"
`, "E2E_PASSWORD="+password)

	sql := func(text string) map[string]any { return map[string]any{"sql": text} }
	waitFor(t, "the server", func() bool { return !s.call(t, "e2e_psql_right", sql("SELECT 1")).IsError })
	if got := texts(s.call(t, "e2e_psql_right", sql("CREATE TABLE t(a int); INSERT INTO t VALUES (1), (2); SELECT sum(a) FROM t"))); !strings.HasSuffix(got, "sum\n3\n") {
		t.Errorf("got %q", got)
	}
	wrong := s.call(t, "e2e_psql_wrong", sql("SELECT 1"))
	if !wrong.IsError || !strings.Contains(texts(wrong), "password authentication failed") {
		t.Errorf("got %q", texts(wrong))
	}
	if strings.Contains(s.stderr.String(), password) {
		t.Error("the password stands in the log")
	}
}
