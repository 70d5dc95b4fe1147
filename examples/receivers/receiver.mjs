#!/usr/bin/env node
// A receiver for eSign's callbacks, to copy. Needs Node.js 18 and nothing else.
//
//   CALLBACK_KEY, CALLBACK_TOKEN          the secrets of the callback; leave one out if it is configured without it
//   CALLBACK_KEY_OLD, CALLBACK_TOKEN_OLD  the ones before, while they are being replaced
//   CALLBACK_URL, RECEIPTS                append a receipt of each request to this file (docs/receivers.md)
//   LISTEN                                the address, by default 127.0.0.1:8904
import { createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto'
import { closeSync, fstatSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs'
import { createServer } from 'node:http'

const MOST_BYTES = 10 * 1024 * 1024
const VENDOR_CHECK = '62KE4r5Wz0yHzEpMOwVRbM1KV0'

class Rejected extends Error {
  constructor(status, why) {
    super(why)
    this.status = status
  }
}

/** The accepted pairs of key and token, the current one first. */
function pairsOf(environment) {
  const pair = (suffix) => ({ key: environment[`CALLBACK_KEY${suffix}`], token: environment[`CALLBACK_TOKEN${suffix}`] })
  const [current, old] = [pair(''), pair('_OLD')]
  const pairs = [current]
  // What was not replaced is the same as before.
  if (old.key || old.token) pairs.push({ key: old.key ?? current.key, token: old.token ?? current.token })
  for (const { key } of pairs) {
    if (key !== undefined && Buffer.byteLength(key) !== 32) throw new Error('a callback key must have 32 bytes')
  }
  return pairs
}

function signatureIsRight(token, body, header) {
  const expected = Buffer.from(`sha256=${createHmac('sha256', token).update(body).digest('hex')}`)
  const given = Buffer.from(header, 'latin1')
  // Not `===`, which tells by its time how much is right.
  return given.length === expected.length && timingSafeEqual(given, expected)
}

function parsed(text) {
  try {
    const value = JSON.parse(text)
    return value !== null && typeof value === 'object' && !Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** Not lenient: bytes that are not UTF-8 are an error. */
const utf8 = (bytes) => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)

function decrypt(key, encrypted) {
  try {
    const sealed = Buffer.from(encrypted, 'base64')
    // Buffer.from skips what is not base64.
    if (sealed.toString('base64') !== encrypted) throw new Error('not base64')
    // The key is the text itself: not hexadecimal, not hashed.
    const bytes = Buffer.from(key)
    const cipher = createDecipheriv('aes-256-cbc', bytes, bytes.subarray(0, 16))
    return utf8(Buffer.concat([cipher.update(sealed), cipher.final()]))
  } catch {
    throw new Rejected(400, "the message can't be decrypted: another key is configured at eSign")
  }
}

/** The message in a request, or null for a probe. `body` is what arrived, byte for byte. */
export function open(pairs, signatures, body) {
  if (signatures.length > 1) throw new Rejected(403, 'several signatures')
  const [header] = signatures
  const candidates = pairs.filter(
    ({ token }) => token === undefined || (header !== undefined && signatureIsRight(token, body, header)),
  )
  let text
  try {
    text = utf8(body)
  } catch {
    text = ''
  }
  const envelope = parsed(text)
  const names = envelope && Object.keys(envelope)
  const isProbe = names && (names.length === 0 || (names.length === 1 && envelope.encrypt === VENDOR_CHECK))
  if (isProbe && (candidates.length > 0 || header === undefined)) return null
  if (candidates.length === 0) throw new Rejected(403, 'the signature is missing or wrong')
  if (!envelope) throw new Rejected(400, 'the body is not a JSON object')
  let rejected
  for (const { key } of candidates) {
    try {
      return openEnvelope(key, envelope)
    } catch (error) {
      rejected ??= error
    }
  }
  throw rejected
}

function openEnvelope(key, envelope) {
  const encrypted = typeof envelope.encrypt === 'string'
  if (key === undefined) {
    if (encrypted) throw new Rejected(400, 'the message is encrypted, and there is no key')
    return envelope
  }
  // Otherwise anyone could leave the encryption out.
  if (!encrypted) throw new Rejected(403, 'the message is not encrypted')
  const message = parsed(decrypt(key, envelope.encrypt))
  if (!message) throw new Rejected(400, 'the decrypted message is not a JSON object')
  return Object.keys(message).length === 0 ? null : message
}

/** The same for each delivery of a message. */
function dedupeKey(message) {
  if (typeof message.MsgType === 'string') return `V2 ${message.MsgId ?? JSON.stringify(message)}`
  if (message.FlowId === undefined) return `V1 ${JSON.stringify(message)}`
  const { FlowId, FlowCallbackStatus, CallbackType, UserId, RecipientId, Operate, CreateOn, UpdatedOn } = message
  const event = [FlowId, FlowCallbackStatus, CallbackType, UserId, RecipientId, Operate, CreateOn, UpdatedOn]
  return `V1 ${JSON.stringify(event)}`
}

/** A bounded memory. If each message must be processed once, use a unique column of your database instead. */
class Seen {
  #known = new Map()

  constructor(capacity = 10_000, seconds = 86_400) {
    Object.assign(this, { capacity, seconds })
  }

  isNew(key, now) {
    for (const [known, at] of this.#known) {
      if (this.#known.size <= this.capacity && now - at <= this.seconds) break
      this.#known.delete(known)
    }
    if (this.#known.has(key)) return false
    this.#known.set(key, now)
    return true
  }
}

class Receipts {
  constructor(path, url) {
    if (!url) throw new Error('RECEIPTS needs CALLBACK_URL')
    this.url = url
    this.file = openSync(path, 'a+', 0o600)
    const { size } = fstatSync(this.file)
    const last = Buffer.alloc(1)
    // After a crash the last line may be torn.
    this.torn = size > 0 && readSync(this.file, last, 0, 1, size - 1) === 1 && last[0] !== 10
  }

  append(body, signatures) {
    let text
    try {
      text = utf8(body)
    } catch {
      return // Not eSign's.
    }
    if (body.length > 1024 * 1024) return
    const now = new Date().toISOString().replace(/\.\d+Z$/, 'Z')
    const receipt = { received_at: now, url: this.url, body: text, content_signature: signatures[0] }
    const line = Buffer.from(`${this.torn ? '\n' : ''}${JSON.stringify(receipt)}\n`)
    this.torn = true
    if (writeSync(this.file, line) !== line.length) throw new Error('the receipt was not written completely')
    fsyncSync(this.file)
    this.torn = false
  }

  close() {
    closeSync(this.file)
  }
}

/** Your work. Unknown types are normal: ignore them. Log no names, phones or identity numbers. */
function process_(message) {
  if (typeof message.MsgType === 'string') console.log('message', JSON.stringify(message.MsgType))
  else console.log('message in the format V1')
}

/** Reads the whole body as bytes. A body parser would change what was signed. */
async function bodyOf(request) {
  if (Number(request.headers['content-length'] ?? 0) > MOST_BYTES) throw new Rejected(413, 'the body is too large')
  const chunks = []
  let length = 0
  for await (const chunk of request) {
    length += chunk.length
    if (length > MOST_BYTES) throw new Rejected(413, 'the body is too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

const pairs = pairsOf(process.env)
const seen = new Seen()
const receipts = process.env.RECEIPTS ? new Receipts(process.env.RECEIPTS, process.env.CALLBACK_URL) : undefined

async function receive(request) {
  if (request.method !== 'POST') throw new Rejected(405, 'eSign sends POST; a redirect to https turns it into a GET')
  const body = await bodyOf(request)
  const signatures = request.headersDistinct['content-signature'] ?? []
  receipts?.append(body, signatures)
  const message = open(pairs, signatures, body)
  if (message === null) return { received: 'probe' }
  if (!seen.isNew(dedupeKey(message), Date.now() / 1000)) return { received: 'duplicate' }
  // Answer first, work later: eSign does not wait long. A real receiver stores the message before it answers.
  setImmediate(process_, message)
  return { received: 'message' }
}

const server = createServer({ requestTimeout: 30_000, headersTimeout: 30_000 }, async (request, response) => {
  let status = 200
  let answer
  try {
    answer = await receive(request)
  } catch (error) {
    // eSign sends again what does not get a 200.
    status = error instanceof Rejected ? error.status : 500
    answer = { error: error.message }
  }
  // The body of a rejected request may not have been read.
  response.writeHead(status, { 'Content-Type': 'application/json', Connection: 'close' })
  response.end(JSON.stringify(answer))
})
server.maxConnections = 256

const [, host, port] = /^(.*):(\d+)$/.exec(process.env.LISTEN ?? '127.0.0.1:8904')
server.listen(Number(port), host, () => console.log(`Listening on http://${host}:${server.address().port}`))
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    server.close()
    server.closeIdleConnections()
    receipts?.close()
    process.exit(0)
  })
}
