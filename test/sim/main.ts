import { drawPlan } from './plan.ts';
import { simulate } from './simulation.ts';

const seed = Number(process.argv[2] ?? 1);
const to = Number(process.argv[3] ?? seed);
for (let s = seed; s <= to; s++) {
  const began = performance.now();
  const o = await simulate(drawPlan(s));
  console.log(
    s,
    o.hash,
    o.steps,
    Math.round(performance.now() - began),
    JSON.stringify(o.counts),
    o.violation ?? '',
  );
  if (o.violation && process.argv[4]) console.log(o.recent.join('\n'));
}
