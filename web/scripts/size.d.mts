export function scriptsOf(html: string): string[];
