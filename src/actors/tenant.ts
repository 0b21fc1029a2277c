// Which tenant a request speaks for: Thanos's header, then Mimir's, else the default tenant.

import { DomainError } from '../model/errors.ts';

/** Tenant of requests that name none, as Thanos Receive. */
export const DEFAULT_TENANT = 'default-tenant';
const TENANT_BYTES_MAX = 150;

/** Reads a header of a request. */
type Header = (name: string) => string | null | undefined;

/** The tenant of a request's headers; `bad_data` when the name is not allowed (it becomes part of paths and labels). */
export function tenantOf(header: Header): string {
  return namedTenantOf(header) ?? DEFAULT_TENANT;
}

/** As tenantOf; undefined when the request names none. */
export function namedTenantOf(header: Header): string | undefined {
  const tenant = header('thanos-tenant') || header('x-scope-orgid') || undefined;
  if (tenant === undefined) return undefined;
  if (
    tenant.length > TENANT_BYTES_MAX ||
    !/^[A-Za-z0-9!_.*'()-]+$/.test(tenant) ||
    tenant === '.' ||
    tenant === '..'
  )
    throw new DomainError(
      'bad_data',
      `tenant ${JSON.stringify(tenant.slice(0, 200))} is not allowed: use 1 to ${TENANT_BYTES_MAX} letters, digits and !-_.*'()`,
    );
  return tenant;
}
