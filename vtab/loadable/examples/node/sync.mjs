// sync.mjs FILE call|answer: one half of a sync over standard input and output.
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite"; // better-sqlite3: new Database(file), and no allowExtension

const [file, role] = process.argv.slice(2);
const db = new DatabaseSync(file, { allowExtension: true, timeout: 10000 });
db.loadExtension(process.env.TRIBUTARY ?? "./tributary");
db.exec(`CREATE TABLE IF NOT EXISTS task(id TEXT PRIMARY KEY NOT NULL, title TEXT, done INT);
         SELECT tributary_track('task');
         CREATE VIRTUAL TABLE IF NOT EXISTS outbox USING stream_out(peer='friend');
         CREATE VIRTUAL TABLE IF NOT EXISTS inbox USING stream_in(peer='friend')`);

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const read = async () => (await lines.next()).value;

async function send() {
  for (const { package: bytes, cursor } of db.prepare("SELECT package, cursor FROM outbox").all()) {
    console.log(Buffer.from(bytes).toString("hex"));
    if ((await read()) !== "ok") throw new Error("the other side has not taken a package");
    db.prepare("UPDATE outbox SET acked = ?").run(cursor);
  }
  console.log();
}

async function receive() {
  for (let line; (line = await read()); ) {
    db.prepare("INSERT INTO inbox(package) VALUES (?)").run(Buffer.from(line, "hex"));
    console.log("ok");
  }
}

for (const step of role === "call" ? [send, receive] : [receive, send]) await step();
process.exit();
