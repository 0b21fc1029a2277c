// GET /: one plain page that tells how the cluster stands, without scripts or styles from elsewhere.

/** What the page shows. */
export interface StatusFacts {
  readonly version: string;
  readonly cluster: string;
  /** http://HOST:PORT of this process as the reader reached it. */
  readonly url: string;
  readonly nowMs: number;
  /** Standbys each partition is to have, and bytes its log may hold. */
  readonly standbys: number;
  readonly logBytesMax: number;
  readonly processes: readonly ProcessRow[];
  readonly partitions: readonly PartitionRow[];
  readonly actors: readonly ActorRow[];
}

/** One process of the cluster. */
export interface ProcessRow {
  readonly id: string;
  readonly roles: readonly string[];
  readonly zone: string;
  readonly version: string;
  readonly address: string;
  readonly startedMs: number;
  readonly here: boolean;
}

/** One partition: who owns it, how far it is. */
export interface PartitionRow {
  readonly partition: number;
  readonly owner: string | undefined;
  readonly state: string;
  /** The other replicas. */
  readonly standbys: readonly StandbyRow[];
  readonly applied: number | undefined;
  /** Messages of the log not applied yet. */
  readonly lag: number | undefined;
  readonly series: number | undefined;
  readonly blocks: number | undefined;
  readonly lastBlockEnd: number | undefined;
  readonly logBytes: number | undefined;
  readonly blocksKnown: boolean | undefined;
}

/** A replica that does not lead. */
export interface StandbyRow {
  readonly process: string;
  readonly state: string;
  readonly lag: number;
}

/** One actor of this process. */
export interface ActorRow {
  readonly name: string;
  readonly lifecycle: string;
  readonly waiting: number;
  readonly lastError: string | undefined;
}

/** The page as HTML. */
export function statusPage(facts: StatusFacts): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Skein · ${html(facts.cluster)}</title><style>${STYLE}</style></head><body>
<header><h1>Skein</h1><p>${html(facts.version)} · cluster <b>${html(facts.cluster)}</b> · ${clockTime(facts.nowMs)}</p></header>
${verdict(facts)}
<h2>Partitions</h2>
${table(
  ['Partition', 'Owner', 'State', 'Standbys', '#Series', '#Behind', '#Applied', '#Blocks', 'Last block ends'],
  facts.partitions.map((row) => partitionCells(row, facts)),
)}
<h2>Processes</h2>
${table(
  ['Process', 'Roles', 'Address', 'Zone', 'Version', 'Up for'],
  facts.processes.map((row) => [
    `<code>${html(row.id)}</code>${row.here ? ' <span class="muted">this one</span>' : ''}`,
    html(row.roles.join(', ')),
    `<a href="http://${html(row.address)}/">${html(row.address)}</a>`,
    row.zone === '' ? NONE : html(row.zone),
    html(row.version),
    span(facts.nowMs - row.startedMs),
  ]),
)}
<h2>Actors of this process</h2>
${table(
  ['Actor', 'State', '#Waiting', 'Last error'],
  facts.actors.map((row) => [
    html(row.name),
    mark(row.lifecycle, row.lifecycle === 'ready' ? 'ok' : 'bad'),
    count(row.waiting),
    row.lastError === undefined ? NONE : html(row.lastError),
  ]),
)}
${addresses(facts)}
<footer><a href="/metrics">metrics</a> · <a href="/-/ready">readiness</a> · <a href="/api/v1/status/config">configuration</a> ·
<a href="/api/v1/status/tsdb">head statistics</a></footer>
</body></html>
`;
}

const STYLE = `
:root{--ink:#1c2430;--soft:#5c6775;--line:#dfe3e8;--ground:#fff;--panel:#f4f6f8;--ok:#0a6b2d;--bad:#a40f0f;--warn:#8a5300}
@media(prefers-color-scheme:dark){:root{--ink:#dde3ea;--soft:#93a0ae;--line:#2b333c;--ground:#14181d;--panel:#1d232a;--ok:#5fce86;--bad:#ff8080;--warn:#f0b45a}}
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:66rem;padding:0 1.2rem;color:var(--ink);background:var(--ground)}
header{display:flex;align-items:baseline;gap:1rem;flex-wrap:wrap}h1{font-size:1.6rem;margin:0}header p{margin:0;color:var(--soft)}
h2{font-size:1.05rem;margin:2rem 0 .4rem}a{color:inherit}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.35rem 1rem .35rem 0;border-bottom:1px solid var(--line);vertical-align:top;white-space:nowrap}
th{font-weight:600;color:var(--soft);font-size:.85rem}td:last-child{white-space:normal}th.n,td.n{text-align:right}
pre{background:var(--panel);padding:.8rem 1rem;overflow:auto;border-radius:5px}code,pre{font-family:ui-monospace,monospace;font-size:.92em}
.verdict{margin:1.2rem 0 0;padding:.7rem 1rem;border-left:4px solid;background:var(--panel);border-radius:0 5px 5px 0}
.verdict p{margin:0;color:var(--ink);font-weight:400}.ok{color:var(--ok)}.bad{color:var(--bad);font-weight:600}.warn{color:var(--warn);font-weight:600}
.muted{color:var(--soft)}footer{margin:2.5rem 0 1rem;color:var(--soft)}`;
const NONE = '<span class="muted">–</span>';

type Grade = 'ok' | 'warn' | 'bad';

interface PartitionGrade {
  readonly grade: Grade;
  readonly text: string;
}

// An owner that no process list knows died a moment ago: its lease is about to run out.
function gradeOf(row: PartitionRow, facts: StatusFacts): PartitionGrade {
  if (row.owner === undefined) return { grade: 'bad', text: 'no owner' };
  if (!facts.processes.some((process) => process.id === row.owner))
    return { grade: 'bad', text: 'owner is gone' };
  return { grade: row.state === 'ready' ? 'ok' : 'warn', text: row.state };
}

function verdict(facts: StatusFacts): string {
  const graded = facts.partitions.map((row) => ({ row, ...gradeOf(row, facts) }));
  const lost = graded.filter(({ grade }) => grade === 'bad').map(({ row }) => row.partition);
  const coming = graded.filter(({ grade }) => grade === 'warn').map(({ row }) => row.partition);
  const sentences: string[] = [];
  if (lost.length > 0)
    sentences.push(
      `${ownerless(lost, facts.partitions.length)}: what is written there waits in the log, and queries do not see it until a shard takes over.`,
    );
  if (coming.length > 0)
    sentences.push(`${named(coming)} ${coming.length === 1 ? 'is' : 'are'} not ready yet.`);
  if (sentences.length === 0)
    sentences.push(
      facts.partitions.length === 1
        ? 'The one partition has an owner and is ready.'
        : `All ${facts.partitions.length} partitions have an owner and are ready.`,
    );
  const grade: Grade = lost.length > 0 ? 'bad' : coming.length > 0 ? 'warn' : 'ok';
  return `<div class="verdict ${grade}">${sentences.map((text) => `<p>${text}</p>`).join('')}</div>`;
}

function ownerless(lost: readonly number[], of: number): string {
  if (lost.length === of && of > 1) return `None of the ${of} partitions has an owner`;
  return `${named(lost)} of ${of} ${lost.length === 1 ? 'has' : 'have'} no owner`;
}

function named(partitions: readonly number[]): string {
  const shown = partitions.slice(0, 10).join(', ');
  const more = partitions.length > 10 ? ` and ${partitions.length - 10} more` : '';
  return `${partitions.length === 1 ? 'Partition' : 'Partitions'} ${shown}${more}`;
}

function partitionCells(row: PartitionRow, facts: StatusFacts): string[] {
  const { grade, text } = gradeOf(row, facts);
  return [
    String(row.partition),
    row.owner === undefined ? NONE : `<code>${html(row.owner)}</code>`,
    mark(text, grade),
    row.standbys.map((standby) => `<code>${html(standby.process)}</code>`).join(' ') || NONE,
    count(row.series),
    count(row.lag),
    count(row.applied),
    count(row.blocks),
    row.lastBlockEnd
      ? `${clockTime(row.lastBlockEnd)} <span class="muted">(${span(facts.nowMs - row.lastBlockEnd)} ago)</span>`
      : NONE,
  ];
}

// Where to write and to ask: this process if it can, else one that can.
function addresses(facts: StatusFacts): string {
  const urlOf = (role: string): string | undefined => {
    const able = facts.processes.filter((process) => process.roles.includes(role));
    const chosen = able.find((process) => process.here) ?? able[0];
    if (chosen === undefined) return undefined;
    return chosen.here ? facts.url : `http://${chosen.address}`;
  };
  const write = urlOf('receiver');
  const ask = urlOf('querier');
  return `<h2>Send metrics</h2>
${
  write === undefined
    ? '<p class="bad">No receiver runs: nothing takes metrics in.</p>'
    : `<p>In prometheus.yml:</p>
<pre>remote_write:
  - url: ${html(write)}/api/v1/write</pre>`
}
<h2>See them</h2>
${
  ask === undefined
    ? '<p class="bad">No querier runs: nothing answers queries.</p>'
    : `<p>In Grafana: a data source of type Prometheus with the URL <code>${html(ask)}</code></p>`
}`;
}

// Cells are HTML already; a heading that begins with # is a number column.
function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const numeric = headings.map((heading) => heading.startsWith('#'));
  const css = (column: number): string => (numeric[column] ? ' class="n"' : '');
  const head = headings
    .map((heading, column) => `<th${css(column)}>${heading.replace('#', '')}</th>`)
    .join('');
  const body = rows
    .map((row) => `<tr>${row.map((cell, column) => `<td${css(column)}>${cell}</td>`).join('')}</tr>`)
    .join('\n');
  return `<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>\n${body}\n</tbody></table></div>`;
}

function mark(text: string, grade: Grade): string {
  return `<span class="${grade}">${html(text)}</span>`;
}

function count(value: number | undefined): string {
  return value === undefined ? NONE : String(value).replace(/\B(?=(\d{3})+$)/g, '\u202f');
}

function clockTime(ms: number): string {
  return new Date(ms).toISOString().replace('T', ' ').replace(/\..*/, ' UTC');
}

// The two largest units of a span: "3 d 4 h", "2 min 5 s".
function span(ms: number): string {
  let left = Math.max(0, Math.round(ms / 1000));
  const parts: string[] = [];
  for (const [unit, seconds] of [
    ['d', 86_400],
    ['h', 3600],
    ['min', 60],
    ['s', 1],
  ] as const) {
    const whole = Math.floor(left / seconds);
    left -= whole * seconds;
    if (whole > 0 || (unit === 's' && parts.length === 0)) parts.push(`${whole} ${unit}`);
  }
  return parts.slice(0, 2).join(' ');
}

function html(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
