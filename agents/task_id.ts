/** Task ids become file names: only what cannot leave its folder is one. */
export const isTaskId = (id: string): boolean => /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(id);
