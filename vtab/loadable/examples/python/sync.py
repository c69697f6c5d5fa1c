"""sync.py FILE call|answer: one half of a sync over standard input and output."""
import os
import sqlite3
import sys

db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
db.enable_load_extension(True)
db.load_extension(os.environ.get("TRIBUTARY", "./tributary"))
db.execute("CREATE TABLE IF NOT EXISTS task(id TEXT PRIMARY KEY NOT NULL, title TEXT, done INT)")
db.execute("SELECT tributary_track('task')").fetchone()
db.execute("CREATE VIRTUAL TABLE IF NOT EXISTS outbox USING stream_out(peer='friend')")
db.execute("CREATE VIRTUAL TABLE IF NOT EXISTS inbox USING stream_in(peer='friend')")


def send():
    for package, cursor in db.execute("SELECT package, cursor FROM outbox").fetchall():
        print(package.hex(), flush=True)
        if input() != "ok":
            sys.exit("the other side has not taken a package")
        db.execute("UPDATE outbox SET acked = ?", (cursor,))
    print(flush=True)


def receive():
    while line := input():
        db.execute("INSERT INTO inbox(package) VALUES (?)", (bytes.fromhex(line),))
        print("ok", flush=True)


for step in (send, receive) if sys.argv[2] == "call" else (receive, send):
    step()
