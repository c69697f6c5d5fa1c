package main

// The shop of the demo. Keys are texts that no two replicas make alike; an INTEGER PRIMARY KEY that SQLite numbers by
// itself would be given out twice.
const demoSchema = `
CREATE TABLE customer (
  id    TEXT PRIMARY KEY NOT NULL,
  name  TEXT NOT NULL,
  email TEXT NOT NULL UNIQUE
);
CREATE TABLE product (
  sku   TEXT PRIMARY KEY NOT NULL,
  name  TEXT NOT NULL,
  cents INTEGER NOT NULL CHECK (cents >= 0),
  stock INTEGER NOT NULL
);
CREATE TABLE orders (
  id       TEXT PRIMARY KEY NOT NULL,
  customer TEXT NOT NULL REFERENCES customer(id),
  status   TEXT NOT NULL DEFAULT 'open'
);
CREATE TABLE order_line (
  order_id TEXT NOT NULL REFERENCES orders(id) ON DELETE CASCADE,
  sku      TEXT NOT NULL REFERENCES product(sku),
  quantity INTEGER NOT NULL,
  PRIMARY KEY (order_id, sku)
);
INSERT INTO customer VALUES
  ('ada',  'Ada Byron',    'ada@example.org'),
  ('ben',  'Ben Okri',     'ben@example.org'),
  ('cleo', 'Cleo Laine',   'cleo@example.org');
INSERT INTO product VALUES
  ('TEA', 'Green tea',     420, 40),
  ('MUG', 'Blue mug',      900, 12),
  ('POT', 'Teapot, 1 l',  2400,  5);
INSERT INTO orders VALUES
  ('o1', 'ada', 'open'),
  ('o2', 'ben', 'paid');
INSERT INTO order_line VALUES
  ('o1', 'TEA', 3),
  ('o1', 'POT', 1),
  ('o2', 'TEA', 1);
`

// demoTables are shown side by side, in this order.
var demoTables = []struct{ name, key string }{
	{"customer", "id"},
	{"product", "sku"},
	{"orders", "id"},
	{"order_line", "order_id || ' ' || sku"},
}

// edit is one transaction that one replica commits while it is offline.
type edit struct {
	at  string
	sql string
	why string
}

// Two rounds of edits. After each, every replica packs what is new, so that there are packages to mix up.
var demoMorning = []edit{
	{"market", "UPDATE product SET cents = 430 WHERE sku = 'TEA'", "the market tries three prices for tea ..."},
	{"market", "UPDATE product SET cents = 450 WHERE sku = 'TEA'", ""},
	{"market", "UPDATE product SET cents = 440 WHERE sku = 'TEA'", ""},
	{"van", "UPDATE product SET name = 'Green tea, organic' WHERE sku = 'TEA'", "the van changes another column of the same row"},
	{"van", `INSERT INTO customer VALUES ('kim', 'Kim Novak', 'kim@example.org');
INSERT INTO orders VALUES ('v1', 'kim', 'open');
INSERT INTO order_line VALUES ('v1', 'TEA', 2)`, "a customer and an order in one transaction"},
	{"market", "INSERT INTO customer VALUES ('kimberly', 'Kim N.', 'kim@example.org')", "the same email again: it is UNIQUE"},
}

var demoAfternoon = []edit{
	{"market", `INSERT INTO orders VALUES ('m1', 'ben', 'open');
INSERT INTO order_line VALUES ('m1', 'MUG', 1), ('m1', 'POT', 1)`, "the market sells a mug ..."},
	{"office", "DELETE FROM product WHERE sku = 'MUG'", "... which the office drops: nobody had bought one there"},
	{"van", "UPDATE customer SET name = 'Cleo Dankworth' WHERE id = 'cleo'", "the van edits a customer ..."},
	{"office", "DELETE FROM customer WHERE id = 'cleo'", "... whom the office deletes"},
	{"van", "UPDATE orders SET status = 'paid' WHERE id = 'o1'", ""},
	{"office", "UPDATE product SET cents = 480 WHERE sku = 'TEA'", "one price, but the last: it wins over three earlier ones"},
}

// What takes the reasons for the quarantine away.
var demoGiveWay = []edit{
	{"van", "UPDATE customer SET email = 'novak@example.org' WHERE id = 'kim'", "two Kims, two addresses"},
	{"office", "INSERT INTO product VALUES ('MUG', 'Blue mug', 950, 1)", "the mug is back on sale"},
}
