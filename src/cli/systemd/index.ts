export { disable, enable, reload, restart, start, stop } from './act.ts'
export { install, uninstall } from './install.ts'
export { cat, list, status } from './look.ts'
export { run } from './run.ts'
