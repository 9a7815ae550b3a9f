/** The public door: everything a user of tendril imports. */
export * from './core.js'
export { Channel, Gateway, MultiChannel, ReceiveQueue } from './gateway.js'
export { defaultGroup, Group, makeGateway } from './group.js'
