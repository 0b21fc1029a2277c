// GET /: one plain page that tells how the cluster stands, without scripts or styles from elsewhere.

/** What the page shows. */
export interface StatusFacts {
  readonly version: string;
  readonly cluster: string;
  /** http://HOST:PORT of this process as the reader reached it. */
  readonly url: string;
  readonly nowMs: number;
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
  readonly applied: number | undefined;
  /** Messages of the log not applied yet. */
  readonly lag: number | undefined;
  readonly series: number | undefined;
  readonly blocks: number | undefined;
  readonly lastBlockEnd: number | undefined;
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
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Skein · ${escape(facts.cluster)}</title>
<style>
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:64rem;padding:0 1rem;color:#1c2430;background:#fff}
h1{font-size:1.5rem;margin:0}h2{font-size:1.05rem;margin:2rem 0 .5rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .7rem .3rem 0;border-bottom:1px solid #dfe3e8;vertical-align:top}
th{font-weight:600;color:#566}td.n,th.n{text-align:right}pre{background:#f4f6f8;padding:.8rem 1rem;overflow:auto;border-radius:4px}
.ok{color:#0a6b2d}.bad{color:#a40f0f;font-weight:600}.muted{color:#667}
@media(prefers-color-scheme:dark){body{background:#14181d;color:#dde3ea}th,.muted{color:#93a0ae}td,th{border-color:#2b333c}pre{background:#1d232a}.ok{color:#5fce86}.bad{color:#ff8080}}
</style></head><body>
<h1>Skein</h1><p class="muted">${escape(facts.version)} · cluster ${escape(facts.cluster)} · ${iso(facts.nowMs)}</p>
<h2>Send metrics here</h2><p>Add to prometheus.yml:</p>
<pre>remote_write:
  - url: ${escape(facts.url)}/api/v1/write</pre>
<p>Grafana data source of type Prometheus: <code>${escape(facts.url)}</code></p>
<h2>Partitions</h2>
${table(
  ['Partition', 'Owner', 'State', '#Applied', '#Lag', '#Series', '#Blocks', 'Last block ends'],
  facts.partitions.map((row) => [
    String(row.partition),
    row.owner ?? '–',
    mark(row.owner === undefined ? 'no owner' : row.state, row.state === 'ready' && row.owner !== undefined),
    number(row.applied),
    number(row.lag),
    number(row.series),
    number(row.blocks),
    row.lastBlockEnd ? iso(row.lastBlockEnd) : '–',
  ]),
)}
<h2>Processes</h2>
${table(
  ['Process', 'Roles', 'Address', 'Zone', 'Version', 'Started'],
  facts.processes.map((row) => [
    `${escape(row.id)}${row.here ? ' <span class="muted">(this one)</span>' : ''}`,
    escape(row.roles.join(', ')),
    escape(row.address),
    escape(row.zone || '–'),
    escape(row.version),
    iso(row.startedMs),
  ]),
)}
<h2>Actors of this process</h2>
${table(
  ['Actor', 'State', '#Waiting', 'Last error'],
  facts.actors.map((row) => [
    escape(row.name),
    mark(row.lifecycle, row.lifecycle === 'ready'),
    number(row.waiting),
    escape(row.lastError ?? '–'),
  ]),
)}
<p class="muted"><a href="/metrics">metrics</a> · <a href="/-/ready">ready</a> · <a href="/api/v1/status/config">configuration</a></p>
</body></html>
`;
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
  return `<table><thead><tr>${head}</tr></thead><tbody>\n${body}\n</tbody></table>`;
}

function mark(text: string, good: boolean): string {
  return `<span class="${good ? 'ok' : 'bad'}">${escape(text)}</span>`;
}

function number(value: number | undefined): string {
  return value === undefined ? '–' : value.toLocaleString('en-US');
}

function iso(ms: number): string {
  return new Date(ms).toISOString().replace('.000Z', 'Z');
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
