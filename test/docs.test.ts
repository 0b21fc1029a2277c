import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { generatedPages } from '../tools/docs.ts';

const root = path.resolve(import.meta.dirname, '..');

describe('generated documents', () => {
  it('are what `npm run docs` would write', async () => {
    for (const [file, text] of Object.entries(await generatedPages()))
      expect(readFileSync(path.join(root, file), 'utf8'), `${file} is stale: npm run docs`).toBe(text);
  });
});
