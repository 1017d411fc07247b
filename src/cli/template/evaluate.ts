/** Carries a template out on data. */
import { type Span, TemplateMistake } from './error.ts'
import { FUNCTIONS, FunctionMistake } from './functions.ts'
import type { Command, Node, Operand, Pipe } from './parse.ts'
import { didYouMean } from './suggest.ts'
import { isList, isMap, isStruct, isTrue, kindOf, print, sortedKeys, type Value } from './value.ts'

type Variable = { name: string; value: Value }

/** Text that a template may make of one thing, in characters. */
const MAX_OUTPUT = 64 * 1024 * 1024

/**
 * The text that `nodes` make of `data`; `typeName` is what messages call its type.
 * Throws TemplateMistake for a field that is not there and for values that do not fit, with the place.
 */
export function evaluate(nodes: readonly Node[], data: Value, typeName: string): string {
  const run = new Run(typeName)
  run.name(data, typeName)
  run.nodes(nodes, data, [{ name: '', value: data }])
  return run.output()
}

class Run {
  readonly #typeName: string
  readonly #parts: string[] = []
  #length = 0
  /** What messages call the type of a value: where it was found. */
  readonly #names = new WeakMap<object, string>()

  constructor(typeName: string) {
    this.#typeName = typeName
  }

  output(): string {
    return this.#parts.join('')
  }

  name(value: Value, name: string): void {
    if (typeof value === 'object' && value !== null && !this.#names.has(value)) this.#names.set(value, name)
    if (isList(value)) for (const one of value) this.name(one, name)
  }

  nodes(nodes: readonly Node[], dot: Value, scope: Variable[]): void {
    const outer = scope.length
    for (const node of nodes) this.#node(node, dot, scope)
    scope.length = outer
  }

  #write(text: string, span: Span): void {
    this.#length += text.length
    if (this.#length > MAX_OUTPUT) throw new TemplateMistake(span, `makes more than ${MAX_OUTPUT} characters`)
    this.#parts.push(text)
  }

  #node(node: Node, dot: Value, scope: Variable[]): void {
    if (node.kind === 'text') {
      this.#write(node.text, { start: 0, end: 1 })
      return
    }
    if (node.kind === 'print') {
      const value = this.#pipe(node.pipe, dot, scope)
      // A pipeline that sets a variable prints nothing.
      if (node.pipe.declares.length === 0) this.#write(this.#printable(value, node.pipe), node.pipe)
      return
    }
    const outer = scope.length
    if (node.kind === 'range') this.#range(node, dot, scope)
    else {
      const value = this.#pipe(node.pipe, dot, scope)
      if (isTrue(value)) this.nodes(node.body, node.kind === 'with' ? value : dot, scope)
      else this.nodes(node.otherwise, dot, scope)
    }
    scope.length = outer
  }

  #printable(value: Value, span: Span): string {
    if (typeof value !== 'function') return print(value)
    throw new TemplateMistake(span, "can't print a method: it wants arguments")
  }

  #range(node: Extract<Node, { kind: 'range' | 'if' | 'with' }>, dot: Value, scope: Variable[]): void {
    const { declares, assigns } = node.pipe
    const value = this.#commands(node.pipe, dot, scope)
    const entries = this.#entries(value, node.pipe)
    if (entries.length === 0) this.nodes(node.otherwise, dot, scope)
    for (const [key, element] of entries) {
      const outer = scope.length
      // With one variable it holds the element, with two the first holds the key.
      const values = declares.length === 2 ? [key, element] : [element]
      declares.forEach((name, at) => {
        if (assigns) this.#assign(name, values[at], scope)
        else scope.push({ name, value: values[at] })
      })
      this.nodes(node.body, element, scope)
      scope.length = outer
    }
  }

  #entries(value: Value, span: Span): [Value, Value][] {
    if (value === null || value === undefined) return []
    if (isList(value)) return value.map((element, at) => [at, element])
    if (isMap(value)) return sortedKeys(value).map(key => [key, value.get(key)])
    throw new TemplateMistake(span, `range can't iterate over ${print(value)}`, 'it takes a list or a map')
  }

  #pipe(pipe: Pipe, dot: Value, scope: Variable[]): Value {
    const value = this.#commands(pipe, dot, scope)
    for (const name of pipe.declares) {
      if (pipe.assigns) this.#assign(name, value, scope)
      else scope.push({ name, value })
    }
    return value
  }

  #assign(name: string, value: Value, scope: Variable[]): void {
    const variable = scope.findLast(one => one.name === name)
    if (variable !== undefined) variable.value = value
  }

  #commands(pipe: Pipe, dot: Value, scope: Variable[]): Value {
    let value: Value
    const [only] = pipe.commands[0]?.operands ?? []
    if (only?.kind === 'literal' && only.value === null) throw new TemplateMistake(only, 'nil is not a command')
    pipe.commands.forEach((command, at) => {
      value = this.#command(command, dot, scope, at > 0 ? [value] : [])
    })
    return value
  }

  /** `piped` is what the command before it in the pipeline made: its last argument. */
  #command(command: Command, dot: Value, scope: Variable[], piped: readonly Value[]): Value {
    const [first, ...rest] = command.operands
    const more = (): Value[] => [...rest.map(operand => this.#argument(operand, dot, scope)), ...piped]
    if (first.kind === 'function') return this.#call(first.name, command, rest, dot, scope, piped)
    const value = this.#operand(first, dot, scope)
    const given = rest.length + piped.length
    if (typeof value === 'function') return this.#method(value, more(), command, first)
    if (given === 0) return value
    const what = first.kind === 'field' ? `${first.name} is not a method but has arguments` : ''
    throw new TemplateMistake(command, what || `can't give argument to non-function ${print(value)}`)
  }

  #method(method: (...args: string[]) => Value, args: readonly Value[], span: Span, first: Operand): Value {
    const name = first.kind === 'field' ? first.name : 'method'
    if (args.length !== method.length)
      throw new TemplateMistake(span, `wrong number of args for ${name}: want ${method.length} got ${args.length}`)
    const wrong = args.find(arg => typeof arg !== 'string')
    if (wrong !== undefined) throw new TemplateMistake(span, `expected string; found ${print(wrong)}`)
    return method(...(args as string[]))
  }

  #call(
    name: string,
    command: Command,
    operands: readonly Operand[],
    dot: Value,
    scope: Variable[],
    piped: readonly Value[],
  ): Value {
    const known = FUNCTIONS[name]
    const given = operands.length + piped.length
    if (known === undefined) throw new Error(`the parser let ${name} through`)
    if (given < known.least || given > known.most) {
      const want = known.least === known.most ? `${known.least}` : `at least ${known.least}`
      throw new TemplateMistake(command, `wrong number of args for ${name}: want ${want} got ${given}`)
    }
    const args: Value[] = []
    for (const operand of operands) {
      const value = this.#argument(operand, dot, scope)
      // What comes after the first that decides is not looked at, so that it may fail.
      if ((name === 'or' && isTrue(value)) || (name === 'and' && !isTrue(value))) return value
      args.push(value)
    }
    try {
      return known.call([...args, ...piped])
    } catch (error) {
      if (!(error instanceof FunctionMistake)) throw error
      throw new TemplateMistake(command, `error calling ${name}: ${error.message}`)
    }
  }

  /** A function or method among the arguments of another is called without any. */
  #argument(operand: Operand, dot: Value, scope: Variable[]): Value {
    return this.#command({ operands: [operand], start: operand.start, end: operand.end }, dot, scope, [])
  }

  #operand(operand: Operand, dot: Value, scope: Variable[]): Value {
    switch (operand.kind) {
      case 'literal':
        return operand.value
      case 'dot':
        return dot
      case 'variable':
        return scope.findLast(variable => variable.name === operand.name)?.value
      case 'paren':
        return this.#pipe(operand.pipe, dot, [...scope])
      case 'field':
        return this.#field(this.#operand(operand.of, dot, scope), operand)
      case 'function':
        return this.#command({ operands: [operand], start: operand.start, end: operand.end }, dot, scope, [])
    }
  }

  #field(of: Value, operand: Extract<Operand, { kind: 'field' }>): Value {
    const { name } = operand
    const place = { start: operand.end - name.length - 1, end: operand.end }
    if (of === null || of === undefined) {
      if (of === null) throw new TemplateMistake(place, `nil pointer evaluating ${name}`)
      throw new TemplateMistake(place, `nil data; no entry for key "${name}"`)
    }
    if (isMap(of)) return this.#found(of, name, of.get(name))
    if (of instanceof Date && name === 'Unix') return Math.floor(of.getTime() / 1000)
    if (!isStruct(of)) throw new TemplateMistake(place, `can't evaluate field ${name} in type ${kindOf(of)}`)
    const key = fieldNamed(of, name)
    if (key !== undefined) return this.#found(of, name, of[key])
    const known = Object.keys(of).filter(isPublic)
    const remedy = didYouMean(name, known, `fields: ${known.map(one => `.${one}`).join(' ')}`)
    const type = this.#names.get(of) ?? this.#typeName
    throw new TemplateMistake(place, `can't evaluate field ${name} in type ${type}`, remedy)
  }

  #found(of: object, name: string, value: Value): Value {
    this.name(value, `${this.#names.get(of) ?? this.#typeName}.${name}`)
    return value
  }
}

const isPublic = (name: string): boolean => /^\p{Lu}/u.test(name)

/**
 * The field a name stands for: itself, or one that differs in case only, since Go's names (`.ID`, `.HostIP`) and those
 * in the JSON (`Id`, `HostIp`) do.
 */
function fieldNamed(struct: object, name: string): string | undefined {
  if (!isPublic(name)) return undefined
  if (Object.hasOwn(struct, name)) return name
  const folded = Object.keys(struct).filter(key => key.toLowerCase() === name.toLowerCase())
  return folded.find(isPublic) ?? folded[0]
}
