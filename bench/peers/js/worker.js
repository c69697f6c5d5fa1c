// A worker of the cross-engine harness for documents: one map for each table, in it one map for each row by its key. See
// ../worker.go for what it reads and prints.
//
//   node worker.js yjs|loro DATA SCRATCH
import { readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const [engine, data, scratch] = process.argv.slice(2);
const batch = 1000; // rows in a transaction

// peers are what differs between the libraries: a document with its own site, and what a harness does with it.
const peers = { yjs, loro };

async function yjs() {
  const Y = await import('yjs');
  return (site) => {
    const doc = new Y.Doc();
    doc.clientID = site; // concurrent writes of one key: the greater one wins
    const maps = new Map(tables.map((t) => [t, doc.getMap(t.name)]));
    return {
      transact: (f) => doc.transact(f),
      insert(t, key, fields) {
        const row = new Y.Map();
        for (const [c, v] of fields) row.set(c, v);
        maps.get(t).set(key, row);
      },
      set: (t, key, column, v) => maps.get(t).get(key).set(column, v),
      remove: (t, key) => maps.get(t).delete(key),
      get: (t, key, column) => maps.get(t).get(key)?.get(column),
      size: (t) => maps.get(t).size,
      version: () => Y.encodeStateVector(doc),
      since: (v) => Y.encodeStateAsUpdate(doc, v),
      apply: (bytes) => Y.applyUpdate(doc, bytes),
      save: () => Y.encodeStateAsUpdate(doc),
    };
  };
}

async function loro() {
  const { LoroDoc, LoroMap } = await import('loro-crdt');
  return (site) => {
    const doc = new LoroDoc();
    doc.setPeerId(BigInt(site));
    const maps = new Map(tables.map((t) => [t, doc.getMap(t.name)]));
    return {
      transact(f) {
        f();
        doc.commit();
      },
      insert(t, key, fields) {
        const row = maps.get(t).setContainer(key, new LoroMap());
        for (const [c, v] of fields) row.set(c, v);
      },
      set: (t, key, column, v) => maps.get(t).get(key).set(column, v),
      remove: (t, key) => maps.get(t).delete(key),
      get: (t, key, column) => maps.get(t).get(key)?.get(column),
      size: (t) => maps.get(t).size,
      version: () => doc.version(),
      since: (v) => doc.export({ mode: 'update', from: v }),
      apply: (bytes) => doc.import(bytes),
      save: () => doc.export({ mode: 'snapshot' }),
    };
  };
}

const print = (...fields) => process.stdout.write(fields.join('\t') + '\n');
const unescape = (s) => s.replace(/\\(.)/g, (_, c) => ({ t: '\t', n: '\n', r: '\r' })[c] ?? c);

function readData() {
  const out = [];
  for (const line of readFileSync(data, 'utf8').split('\n')) {
    if (!line) continue;
    const f = line.split('\t');
    if (f[0] === 'T') {
      const columns = f.slice(3).filter((_, i) => i % 2 === 0);
      out.push({ name: f[1], keys: +f[2], columns, rows: [] });
      continue;
    }
    const values = f.slice(1).map((v) => (v[0] === 'n' ? null : v[0] === 's' ? unescape(v.slice(1)) : +v.slice(1)));
    const t = out[out.length - 1];
    t.rows.push({ key: values.slice(0, t.keys).join(' '), values });
  }
  return out;
}

// next is the value of a generation: the one in the data set, changed a little.
function next(v, generation) {
  if (generation === 0) return v;
  if (v === null) return generation;
  return typeof v === 'string' ? v + '!' + generation : v + generation;
}

function phase(name, f) {
  const cpu = process.cpuUsage();
  const wall = process.hrtime.bigint();
  const result = f();
  const ns = process.hrtime.bigint() - wall;
  const used = process.cpuUsage(cpu);
  if (name) print('phase', name, total, ns, (used.user + used.system) * 1000);
  return result;
}

// write runs f for each row, 1,000 of them in a transaction.
function write(doc, f) {
  const all = tables.flatMap((t) => t.rows.map((r) => [t, r]));
  for (let i = 0; i < all.length; i += batch) {
    doc.transact(() => {
      for (const [t, r] of all.slice(i, i + batch)) f(t, r);
    });
  }
}

const operations = {
  insert: (doc) => write(doc, (t, r) => doc.insert(t, r.key, t.columns.map((c, i) => [c, r.values[i]]))),
  update: (doc, generation) =>
    write(doc, (t, r) => {
      const last = t.columns.length - 1;
      if (last >= t.keys) doc.set(t, r.key, t.columns[last], next(r.values[last], generation));
    }),
  'update-all': (doc, generation) =>
    write(doc, (t, r) => {
      for (let i = t.keys; i < t.columns.length; i++) doc.set(t, r.key, t.columns[i], next(r.values[i], generation));
    }),
  delete: (doc) => write(doc, (t, r) => doc.remove(t, r.key)),
};

function verify(doc, generation) {
  for (const t of tables) {
    const last = t.columns.length - 1;
    if (generation < 0 ? doc.size(t) !== 0 : t.rows.some((r) => doc.get(t, r.key, t.columns[last]) !== next(r.values[last], last < t.keys ? 0 : generation))) {
      throw new Error(`table ${t.name}: the replica does not show what was written last (generation ${generation})`);
    }
  }
}

function change(a, b, name, generation) {
  phase('local ' + name, () => operations[name](a, generation));
  const known = b.version();
  const bytes = phase('pull ' + name, () => a.since(known));
  writeFileSync(`${scratch}/${name}`, bytes);
  print('wire', name, bytes.length, `${scratch}/${name}`);
  phase('apply ' + name, () => b.apply(bytes));
  if (name === 'insert') phase('apply duplicate', () => b.apply(bytes));
}

function scenario(open) {
  const [a, b] = [open(1), open(2)];
  change(a, b, 'insert', 0);
  for (const when of ['loaded', 'received', 'settled']) print('bytes', when, (when === 'received' ? b : a).save().length);
  change(a, b, 'update', 1);
  change(a, b, 'update-all', 2);
  const known = b.version();
  operations.update(a, 3);
  const bytes = a.since(known);
  operations.update(b, 4);
  operations.update(b, 5);
  phase('apply losing', () => b.apply(bytes));
  verify(b, 5);
  a.apply(b.since(a.version()));
  verify(a, 5);
  change(a, b, 'delete', 0);
  verify(a, -1);
  verify(b, -1);
}

// peakMemory is the most that was resident, in bytes. What resourceUsage says includes the process before exec.
function peakMemory() {
  try {
    return 1024 * /VmHWM:\s*(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1];
  } catch {
    return process.resourceUsage().maxRSS * 1024;
  }
}

const version = (name) => JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url))).version;

const tables = readData();
const total = tables.reduce((n, t) => n + t.rows.length, 0);
try {
  const open = await peers[engine]();
  print('version', `${engine === 'yjs' ? 'Yjs ' + version('yjs') : 'Loro ' + version('loro-crdt')} in Node ${process.versions.node}`);
  for await (const _ of createInterface({ input: process.stdin })) {
    scenario(open);
    print('bytes', 'memory', peakMemory());
    print('end');
  }
} catch (err) {
  print('error', String(err.stack ?? err).replaceAll('\n', ' '));
  process.exit(1);
}
