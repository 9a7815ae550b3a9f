// What the protocol layer may use beyond the language itself: the two text codecs that every
// JavaScript runtime has. Only tsconfig.protocol.json includes this file; it compiles the layer with
// no Node types and no DOM, so a stray `Buffer` or `setTimeout` in it fails the build.

declare class TextEncoder {
  encode(text?: string): Uint8Array<ArrayBuffer>
  encodeInto(text: string, target: Uint8Array): { read: number; written: number }
}

declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean })
  decode(bytes?: ArrayBufferView | ArrayBuffer, options?: { stream?: boolean }): string
}
