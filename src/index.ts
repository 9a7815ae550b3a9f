/** The public door: everything a user of tendril imports. */
export * from './core.js'
