import { describe, expect, test } from '@jest/globals'
import { podOfJob } from '../../../src/job.ts'
import { namesIn } from '../../../src/kube/index.ts'
import { scheduleProblem } from '../../../src/kube/workload/cronjob.ts'
import type { JobSpec } from '../../../src/model.ts'
import { issuesOf, translated } from './world.ts'

type Parts = { container?: string; pod?: string }
const template = ({ container = '', pod = 'restartPolicy: Never' }: Parts = {}): string =>
  `{spec: {${pod}, containers: [{name: c, image: "x:1"${container}}]}}`
const text = (spec: string, parts?: Parts): string =>
  `apiVersion: batch/v1\nkind: Job\nmetadata: {name: sum}\nspec: {${spec === '' ? '' : `${spec}, `}template: ${template(parts)}}\n`
const jobOf = (spec: string, parts?: Parts): JobSpec => translated(text(spec, parts)).bundle.jobs![0]!
const found = (spec: string, parts?: Parts): string[] =>
  issuesOf(text(spec, parts)).map(line => line.replace(/^\S+ /, ''))

describe('a Job', () => {
  test('has Kubernetes defaults', () => {
    expect(jobOf('')).toMatchObject({
      parallelism: 1,
      completions: 1,
      indexed: false,
      backoffLimit: 6,
      failureRules: [],
    })
    expect(jobOf('')).not.toHaveProperty('ttlMs')
  })

  test('begins with as many pods as may run at once', () => {
    const { bundle } = translated(text('completions: 3, parallelism: 2'))
    expect(bundle.pods.map(({ name, hostname, job }) => [name, hostname, job])).toEqual([
      ['sum-pod', 'sum-pod', { name: 'sum', number: 1 }],
      ['sum-pod-2', 'sum-pod-2', { name: 'sum', number: 2 }],
    ])
    expect(bundle.pods[0]?.labels).toEqual({ 'batch.kubernetes.io/job-name': 'sum', 'job-name': 'sum' })
    expect(namesIn([{ file: 'a', text: text('') }])).toMatchObject({
      pods: ['sum-pod'],
      workloads: [{ kind: 'Job', name: 'sum' }],
    })
  })

  test('without completions is a work queue', () => {
    const { bundle } = translated(text('parallelism: 3'))
    expect(bundle.jobs?.[0]).not.toHaveProperty('completions')
    expect(bundle.pods).toHaveLength(3)
  })

  const idle: Record<string, string> = {
    'suspend: true': 'no pod is started; play it again without',
    'parallelism: 0': 'no pod is started with 0; play it again with more',
  }
  for (const [spec, note] of Object.entries(idle)) {
    test(`is only noted with ${spec}`, () => {
      const { bundle, notes } = translated(text(spec))
      expect([bundle.pods, bundle.jobs]).toEqual([[], undefined])
      expect(notes.join()).toContain(note)
    })
  }

  test('reads its limits and rules', () => {
    const rules =
      'podFailurePolicy: {rules: [{action: FailJob, onExitCodes: {containerName: c, operator: In, values: [3]}}]}'
    expect(jobOf(`backoffLimit: 2, activeDeadlineSeconds: 60, ttlSecondsAfterFinished: 0, ${rules}`)).toMatchObject({
      backoffLimit: 2,
      deadlineMs: 60_000,
      ttlMs: 0,
      failureRules: [{ action: 'FailJob', exitCodes: { container: 'c', operator: 'In', values: [3] } }],
    })
    expect(
      jobOf('completionMode: Indexed, completions: 5, successPolicy: {rules: [{succeededIndexes: "0,2-4"}]}')
        .successRules,
    ).toEqual([{ indexes: [0, 2, 3, 4] }])
  })

  const mistakes: Record<string, [string, Parts?]> = {
    'REQUIRED spec.template.spec.restartPolicy': ['', { pod: 'hostNetwork: false' }],
    'UNSUPPORTED_VALUE spec.template.spec.restartPolicy': ['', { pod: 'restartPolicy: Always' }],
    'REQUIRED spec.completions': ['completionMode: Indexed'],
    'INVALID_VALUE spec.backoffLimit': ['backoffLimit: -1'],
    'INVALID_VALUE spec.activeDeadlineSeconds': ['activeDeadlineSeconds: 0'],
    'INVALID_VALUE spec.backoffLimitPerIndex': ['backoffLimitPerIndex: 1'],
    'INVALID_VALUE spec.maxFailedIndexes': ['maxFailedIndexes: 1'],
    'TOO_MANY spec.parallelism': ['parallelism: 5000, completions: 1'],
    'UNSUPPORTED_VALUE spec.completionMode': ['completionMode: Ordered'],
    'NOT_SUPPORTED spec.managedBy': ['managedBy: kueue.x-k8s.io/multikueue'],
    'INVALID_VALUE spec.podFailurePolicy': [
      'podFailurePolicy: {rules: [{action: Ignore, onExitCodes: {operator: In, values: [1]}}]}',
      { pod: 'restartPolicy: OnFailure' },
    ],
    'INVALID_VALUE spec.podFailurePolicy.rules[0]': ['podFailurePolicy: {rules: [{action: Ignore}]}'],
    'INVALID_VALUE spec.podFailurePolicy.rules[0].action': [
      'podFailurePolicy: {rules: [{action: FailIndex, onExitCodes: {operator: In, values: [1]}}]}',
    ],
    'INVALID_VALUE spec.podFailurePolicy.rules[0].onExitCodes.values[0]': [
      'podFailurePolicy: {rules: [{action: Ignore, onExitCodes: {operator: In, values: [0]}}]}',
    ],
    'NOT_FOUND spec.podFailurePolicy.rules[0].onExitCodes.containerName': [
      'podFailurePolicy: {rules: [{action: Ignore, onExitCodes: {containerName: d, operator: In, values: [1]}}]}',
    ],
    'INVALID_VALUE spec.successPolicy': ['successPolicy: {rules: [{succeededCount: 1}]}'],
    'INVALID_VALUE spec.successPolicy.rules[0].succeededIndexes': [
      'completionMode: Indexed, completions: 2, successPolicy: {rules: [{succeededIndexes: "0-2"}]}',
    ],
    'INVALID_VALUE spec.template.spec.containers[0].ports[0].hostPort': [
      'parallelism: 2, completions: 2',
      { container: ', ports: [{containerPort: 80, hostPort: 80}]' },
    ],
  }
  for (const [issue, [spec, parts]] of Object.entries(mistakes)) {
    test(`is refused: ${issue}`, () => expect(found(spec, parts)).toEqual([issue]))
  }
})

describe('a pod of a Job', () => {
  const container =
    ', env: [{name: ME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}, {name: AT, valueFrom: {fieldRef: {fieldPath: "metadata.annotations[\'batch.kubernetes.io/job-completion-index\']"}}}]'
  const job = jobOf('completions: 9, completionMode: Indexed', { container })

  test('has its name and its index wherever they show up', () => {
    const pod = podOfJob(job, 12, 7)
    expect(pod).toMatchObject({ name: 'sum-pod-12', hostname: 'sum-7', job: { name: 'sum', number: 12, index: 7 } })
    expect(pod.labels['batch.kubernetes.io/job-completion-index']).toBe('7')
    expect(pod.containers[0]?.env).toMatchObject([
      { name: 'ME', text: 'sum-pod-12' },
      { name: 'AT', text: '7' },
      { name: 'JOB_COMPLETION_INDEX', text: '7' },
    ])
  })

  test('has them in files too', () => {
    const marked = structuredClone(job)
    const base64 = Buffer.from(`name=${job.template.name}`).toString('base64')
    marked.template.volumes.push({
      name: 'v',
      kind: 'files',
      source: 'configMap',
      files: [{ path: 'a', mode: 0, base64 }],
    })
    const [volume] = podOfJob(marked, 3, 2).volumes
    const [file] = volume !== undefined && 'files' in volume ? volume.files : []
    expect(Buffer.from(file !== undefined && 'base64' in file ? file.base64 : '', 'base64').toString()).toBe(
      'name=sum-pod-3',
    )
  })

  test('with a very long name has a host name all the same', () => {
    const long = text('').replace('name: sum', `name: ${'a'.repeat(60)}`)
    const [first] = translated(long).bundle.pods
    expect([first?.hostname, podOfJob(translated(long).bundle.jobs![0]!, 2).hostname]).toEqual([
      ...[`${'a'.repeat(60)}-po`, `${'a'.repeat(60)}-po`],
    ])
  })

  test('gets the ports and the names of a Service', () => {
    const service =
      'apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {selector: {job-name: sum}, ports: [{port: 80}]}\n'
    const { bundle } = translated(`${text('completions: 2')}---\n${service}`)
    expect(podOfJob(bundle.jobs![0]!, 2).dnsNames).toContain('s.default.svc')
  })
})

describe('a CronJob', () => {
  const cron = (schedule: string, more = ''): string =>
    `apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: nightly}\nspec: {schedule: ${JSON.stringify(schedule)}${more}, jobTemplate: {spec: {template: ${template()}}}}\n`

  test('is accepted with a note, and makes nothing', () => {
    const { bundle, notes } = translated(cron('0 3 * * *', ', timeZone: Europe/Berlin'))
    expect([bundle.pods, bundle.workloads]).toEqual([[], []])
    expect(notes).toEqual([
      'app.yaml:2:1 kind has no effect: schedules are run by a later release; until then, play a Job',
    ])
  })

  test('is checked like a Job', () => {
    expect(issuesOf(cron('@daily').replace('restartPolicy: Never', 'restartPolicy: Always'))).toEqual([
      expect.stringContaining('UNSUPPORTED_VALUE spec.jobTemplate.spec.template.spec.restartPolicy'),
    ])
    expect(issuesOf(cron('nightly'))[0]).toMatch(/INVALID_VALUE spec.schedule$/)
    expect(issuesOf(cron('@daily', ', timeZone: Mars/Olympus'))[0]).toMatch(/INVALID_VALUE spec.timeZone$/)
    expect(issuesOf(cron('@daily', ', timeZone: Local'))[0]).toMatch(/INVALID_VALUE spec.timeZone$/)
    expect(issuesOf(cron('@daily', ', concurrencyPolicy: Never'))[0]).toMatch(/spec.concurrencyPolicy$/)
    expect(issuesOf(cron('@daily', ', startingDeadlineSeconds: -1'))[0]).toMatch(/spec.startingDeadlineSeconds$/)
    expect(issuesOf(cron('@daily').replace('nightly', 'n'.repeat(53)))[0]).toMatch(/TOO_LONG metadata.name$/)
  })

  const good = [
    ...[
      '* * * * *',
      '*/5 0-6/2 1,15 JAN-mar Mon-FRI',
      '@daily',
      '@every 1h30m',
      '0 0 ? * 0',
      ' 5  4 * * sun ',
      '7/10 * * * *',
    ],
  ]
  for (const schedule of good) {
    test(`${schedule} is a schedule`, () => expect(scheduleProblem(schedule)).toBeUndefined())
  }
  const bad: Record<string, RegExp> = {
    '* * * *': /has 4 fields and needs 5/,
    '60 * * * *': /"60" is no minute/,
    '* 24 * * *': /no hour/,
    '* * 0 * *': /no day of the month/,
    '* * * 13 *': /no month/,
    '* * * * 7': /no day of the week/,
    '5-1 * * * *': /no minute/,
    '*/0 * * * *': /no minute/,
    '1,,2 * * * *': /no minute/,
    '@fortnightly': /use @yearly/,
    '@every soon': /write a time/,
    'TZ=UTC * * * * *': /use timeZone/,
  }
  for (const [schedule, problem] of Object.entries(bad)) {
    test(`${schedule} is none`, () => expect(scheduleProblem(schedule)).toMatch(problem))
  }
})
