// next-env.d.ts, which Next.js writes while it builds, is not in the repository: types must check without a build too.
/// <reference types="next" />
