package ncruces
import ("testing";"time";"github.com/tributary-db/tributary/engine";"github.com/tributary-db/tributary/engine/zstd")
func TestDbg(t *testing.T) {
	a, b, c := newSite(t), newSite(t), newSite(t)
	for _, s := range []*site{a,b,c} { s.exec("CREATE TABLE big(k INTEGER PRIMARY KEY, a, b, c); SELECT tributary_track('big')") }
	a.exec("INSERT INTO big WITH n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 200000) SELECT i, 'text of row '||i, i, i*2 FROM n")
	start := time.Now()
	p := a.packages("SELECT package FROM o")
	t.Log("fold+select", time.Since(start), len(p))
	start = time.Now()
	for _, x := range p { if err := b.insert("i", x); err != nil { t.Fatal(err) } }
	t.Log("insert", time.Since(start))
	b.want("SELECT count(*) FROM big", "200000")
	e, err := engine.Open(t.Context(), c.c, &engine.Options{Compressor: zstd.New()})
	if err != nil { t.Fatal(err) }
	defer e.Close()
	start = time.Now()
	for _, x := range p { if _, err := e.Apply(t.Context(), x.Bytes(), engine.ApplyOptions{}); err != nil { t.Fatal(err) } }
	t.Log("engine apply", time.Since(start))
}
