// Calendar functions of seconds since the epoch, in UTC, by day arithmetic alone (proleptic Gregorian calendar, as Go's time).

const SECONDS_PER_DAY = 86_400;
const DAYS_PER_ERA = 146_097;
/** Days from 0000-03-01 to 1970-01-01. */
const EPOCH_SHIFT = 719_468;

/** A day of the calendar. */
export interface CivilDate {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  /** 1 to 31. */
  readonly day: number;
}

/** The date of a day counted from 1970-01-01: eras of 400 years, years that begin in March. */
export function civilDate(days: number): CivilDate {
  const shifted = days + EPOCH_SHIFT;
  const era = Math.floor(shifted / DAYS_PER_ERA);
  const dayOfEra = shifted - era * DAYS_PER_ERA;
  const leapless = dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524);
  const yearOfEra = Math.floor((leapless - Math.floor(dayOfEra / 146_096)) / 365);
  const leapDays = Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100);
  const dayOfYear = dayOfEra - (365 * yearOfEra + leapDays);
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1;
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  return { year: era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, day };
}

function isLeap(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}

function daysInMonth({ year, month }: CivilDate): number {
  if (month === 2) return isLeap(year) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

const DAYS_BEFORE_MONTH = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

function dayOfYear({ year, month, day }: CivilDate): number {
  return DAYS_BEFORE_MONTH[month - 1]! + day + (month > 2 && isLeap(year) ? 1 : 0);
}

function dayOf(seconds: number): number {
  return Math.floor(seconds / SECONDS_PER_DAY);
}

function secondOfDay(seconds: number): number {
  return seconds - dayOf(seconds) * SECONDS_PER_DAY;
}

/** A calendar function of whole seconds. */
type DateFunction = (seconds: number) => number;

/** The calendar functions by PromQL name. */
export const DATE_FUNCTIONS: Readonly<Record<string, DateFunction>> = {
  minute: dateFunction((seconds) => Math.floor(secondOfDay(seconds) / 60) % 60, 30),
  hour: dateFunction((seconds) => Math.floor(secondOfDay(seconds) / 3600), 15),
  day_of_week: dateFunction((seconds) => (((dayOf(seconds) + 4) % 7) + 7) % 7, 0),
  day_of_month: dateFunction((seconds) => civilDate(dayOf(seconds)).day, 4),
  day_of_year: dateFunction((seconds) => dayOfYear(civilDate(dayOf(seconds))), 339),
  days_in_month: dateFunction((seconds) => daysInMonth(civilDate(dayOf(seconds))), 31),
  month: dateFunction((seconds) => civilDate(dayOf(seconds)).month, 12),
  year: dateFunction((seconds) => civilDate(dayOf(seconds)).year, 292_277_026_596),
};

// Values are cut to whole seconds. What no int64 holds (NaN, infinities) becomes its least number in Go on amd64, whose date
// is the one given as `beyond`.
function dateFunction(compute: DateFunction, beyond: number): DateFunction {
  return (value) => (Math.abs(value) < 2 ** 63 ? compute(Math.trunc(value)) : beyond);
}

/** RFC 3339 in UTC of milliseconds since the epoch, cut to seconds toward zero. */
export function utcText(timestampMs: number): string {
  const seconds = Math.trunc(timestampMs / 1000);
  const { year, month, day } = civilDate(dayOf(seconds));
  const rest = secondOfDay(seconds);
  const two = (value: number): string => String(value).padStart(2, '0');
  const date = `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}`;
  return `${date}T${two(Math.floor(rest / 3600))}:${two(Math.floor(rest / 60) % 60)}:${two(rest % 60)}Z`;
}
