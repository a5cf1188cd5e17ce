// Starts the built program as a server, for tests in JavaScript.
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

// built is the operations that docs/compatibility.md promises.
export const built = readFileSync(join(root, 'docs/compatibility.md'), 'utf8')
  .split('\n').map((line) => line.split('|').map((cell) => cell.trim()))
  .filter((cells) => cells[2] === 'yes').map((cells) => cells[1])

// temporary is a directory that remove() takes away.
export function temporary () {
  const path = mkdtempSync(join(tmpdir(), 'trent-js-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

// binary returns the program: the one that TRENT_TEST_BINARY names, or one built into dir.
export function binary (dir) {
  if (process.env.TRENT_TEST_BINARY) return process.env.TRENT_TEST_BINARY
  const path = join(dir, 'trent')
  execFileSync('go', ['build', '-race', '-o', path, './cmd/trent'], { cwd: root, stdio: 'inherit' })
  return path
}

// environ is the environment without the settings of whoever runs the tests.
function environ () {
  const kept = Object.entries(process.env).filter(([name]) => !/^(AWS|TRENT)_/.test(name))
  return { ...Object.fromEntries(kept), GORACE: 'halt_on_error=1 exitcode=66 atexit_sleep_ms=0' }
}

// start resolves when the server says that it is ready, with its address and how to end it.
export function start (program, ...args) {
  const child = spawn(program, ['server', '--listen', '127.0.0.1:0', ...args], { env: environ(), stdio: ['ignore', 'ignore', 'pipe'] })
  let log = ''
  const ended = new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal })))
  const end = async (signal) => {
    child.kill(signal)
    const how = await ended
    if (/DATA RACE|panic:|"level":"ERROR"/.test(log)) throw new Error(`the server's log:\n${log}`)
    return how
  }
  return new Promise((resolve, reject) => {
    const deadline = setTimeout(() => { child.kill('SIGKILL'); reject(new Error(`not ready:\n${log}`)) }, 60_000)
    ended.then(({ code }) => reject(new Error(`ended with status ${code}:\n${log}`)))
    child.stderr.on('data', (chunk) => {
      log += chunk
      const url = /^trent: ready on (\S+)/m.exec(log)?.[1]
      if (!url) return
      clearTimeout(deadline)
      resolve({
        url,
        kill: () => end('SIGKILL'),
        async stop () {
          const { code, signal } = await end('SIGTERM')
          if (code !== 0) throw new Error(`ended with status ${code}, signal ${signal}:\n${log}`)
        }
      })
    })
  })
}
