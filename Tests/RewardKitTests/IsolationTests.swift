import Foundation
import RewardKit
import TestSupport
import Testing

/// What an isolated worker is promised.
///
/// Doors are tried by opening and closing alone: nothing is ever written through one, since a door that opens would
/// change the machine.
@Suite("Isolation", .enabled(if: CodeTestsTests.canIsolate)) struct IsolationTests {
  /// A plugin that replies with what a Python expression gives, as its log.
  private static let doors = """
    import ctypes, errno, socket, stat
    libc = ctypes.CDLL(None, use_errno=True)
    def attempt(action):
        try: result = action()
        except OSError as error: return errno.errorcode[error.errno]
        return "opens" if result is None else result
    def call(number, *arguments):
        ctypes.set_errno(0)
        result = libc.syscall(number, *arguments)
        if result < 0: return errno.errorcode[ctypes.get_errno()]
        return "opens"
    def opens(path, flags=os.O_WRONLY):
        return attempt(lambda: os.close(os.open(path, flags | os.O_NONBLOCK)))
    def connects(path, kind):
        left, right = socket.socketpair(socket.AF_UNIX, kind)
        left.connect(path)
    """

  private func logged(
    _ body: String, in folder: PluginFolder, _ more: JSONObject = [:]
  ) throws -> JSONObject {
    let path = try folder.plugin("reply(id=rid, score=1, log=\(body))", setUp: Self.doors)
    var object: JSONObject = ["use": .string(path), "sandbox": "isolated"]
    for (key, value) in more { object[key] = value }
    let suite = try suite([.object(object)])
    return try #require(try suite.score([request(0, "x")])[0].score?.log, "no score")
  }

  /// A folder with a named pipe that is read and a Unix socket that is listened to, open to everybody.
  private func folderWithDoors() throws -> (PluginFolder, ChildProcess) {
    let folder = try PluginFolder()
    let outside = try ChildProcess(
      [
        "python3", "-c",
        """
        import os, socket, time
        os.umask(0)
        os.mkfifo("fifo", 0o666)
        reader = os.open("fifo", os.O_RDONLY | os.O_NONBLOCK)
        stream, datagram = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        stream.bind("stream.sock"); datagram.bind("datagram.sock"); stream.listen()
        print("ready", flush=True); time.sleep(600)
        """,
      ], in: folder.url)
    #expect(outside.wait { outside.output.contains("ready") })
    return (folder, outside)
  }

  @Test("no named pipe, socket, device, kernel setting or file outside opens")
  func files() throws {
    let (folder, outside) = try folderWithDoors()
    defer { outside.signal(SIGKILL) }
    let log = try logged(
      """
      {
        "fifo": opens("fifo"), "fifo_read": attempt(lambda: os.read(os.open("fifo", os.O_RDONLY), 1).decode()),
        "stream": attempt(lambda: connects("stream.sock", socket.SOCK_STREAM)),
        "datagram": attempt(lambda: connects("datagram.sock", socket.SOCK_DGRAM)),
        "core_pattern": opens("/proc/sys/kernel/core_pattern"), "sysrq": opens("/proc/sysrq-trigger"),
        "oom": opens("/proc/1/oom_score_adj"), "script": opens(__file__), "system": opens("/usr/new", os.O_WRONLY | os.O_CREAT),
        "etc": opens("/etc/new", os.O_WRONLY | os.O_CREAT), "root": opens("/new", os.O_WRONLY | os.O_CREAT),
        "nodes": sorted(n for n in os.listdir("/dev") if stat.S_ISCHR(os.lstat("/dev/" + n).st_mode) or stat.S_ISBLK(os.lstat("/dev/" + n).st_mode)),
        "null": opens("/dev/null"), "kmsg": opens("/dev/kmsg"), "vsock": opens("/dev/vsock"), "kvm": opens("/dev/kvm"),
        "node": attempt(lambda: os.mknod(os.environ["TMPDIR"] + "/disk", stat.S_IFBLK | 0o600, os.makedev(254, 0))),
        "shadow": opens("/etc/shadow", os.O_RDONLY), "home": opens("/root/.bashrc", os.O_RDONLY), "sys": os.path.exists("/sys/kernel"),
        "run": os.path.exists("/run") or os.path.exists("/var"), "top": sorted(os.listdir("/")),
      }
      """.split(separator: "\n").joined(), in: folder)
    // The empty file that stands in the pipe's place is read-only, or not writable for the sandbox's user.
    #expect(["EACCES", "EROFS"].contains(log["fifo"]?.string), "\(log)")
    #expect(log["fifo_read"] == "")
    for socket in ["stream", "datagram"] { #expect(log[socket] == "EPERM", "\(log)") }
    for file in ["core_pattern", "sysrq", "oom"] {
      #expect(["EACCES", "EROFS", "ENOENT"].contains(log[file]?.string), "\(file): \(log)")
    }
    for file in ["script", "system", "etc", "root"] {
      #expect(["EACCES", "EROFS"].contains(log[file]?.string), "\(file): \(log)")
    }
    #expect(log["null"] == "opens")
    #expect(
      (log["nodes"]?.array?.compactMap(\.string) ?? []).allSatisfy {
        ["full", "null", "random", "tty", "urandom", "zero"].contains($0)
      }, "\(log)")
    for absent in ["kmsg", "vsock", "kvm", "shadow", "home"] {
      #expect(["ENOENT", "EACCES"].contains(log[absent]?.string), "\(absent): \(log)")
    }
    #expect(log["node"] == "EPERM")
    #expect(log["sys"] == false && log["run"] == false)
  }

  @Test("no socket, namespace, mount, key, trace or other way into the kernel is granted")
  func calls() throws {
    let log = try logged(
      """
      {
        **{"socket-%d" % family: attempt(lambda: socket.socket(family, kind).close()) for family in range(1, 46) for kind in [1]},
        "datagrams": attempt(lambda: [s.close() for s in socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)] and None),
        "pair": attempt(lambda: [s.close() for s in socket.socketpair()] and None),
        "userns": call({"x86_64": 272, "aarch64": 97}[os.uname().machine], 0x10000000),
        "clone3": call(435, 0, 0), "io_uring": call(425, 0, 0), "open_tree": call(428, -1, 0, 0), "fsopen": call(430, 0, 0),
        "bpf": call({"x86_64": 321, "aarch64": 280}[os.uname().machine], 99, 0, 0),
        "perf": call({"x86_64": 298, "aarch64": 241}[os.uname().machine], 0, 0, -1, -1, 0),
        "userfaultfd": call({"x86_64": 323, "aarch64": 282}[os.uname().machine], 1),
        "keyctl": call({"x86_64": 250, "aarch64": 219}[os.uname().machine], 0, -3, 0),
        "mount": call({"x86_64": 165, "aarch64": 40}[os.uname().machine], b"t", b"/dev/shm", b"tmpfs", 0, 0),
        "ptrace": call({"x86_64": 101, "aarch64": 117}[os.uname().machine], 16, 1, 0, 0),
        "process_vm_readv": call({"x86_64": 310, "aarch64": 270}[os.uname().machine], 1, 0, 0, 0, 0, 0),
        "clone": call({"x86_64": 56, "aarch64": 220}[os.uname().machine], 0x10000000 | 17, 0, 0, 0, 0),
        "newest": call(467, 0, 0, 0, 0), "unknown": call(0x40000000 + 39),
        "status": {l.split(":")[0]: l.split(":")[1].strip() for l in open("/proc/self/status") if l.startswith(("Cap", "NoNew", "Seccomp:", "Uid", "Groups"))},
        "interfaces": os.listdir("/sys/class/net") if os.path.exists("/sys/class/net") else [],
      }
      """.split(separator: "\n").joined(), in: try PluginFolder())
    for family in 1..<46 { #expect(log["socket-\(family)"] == "EPERM", "\(family): \(log)") }
    for name in [
      "datagrams", "userns", "io_uring", "open_tree", "fsopen", "bpf", "perf", "userfaultfd",
      "keyctl", "mount",
      "ptrace", "process_vm_readv", "clone",
    ] { #expect(log[name] == "EPERM", "\(name): \(log[name] ?? .null)") }
    for name in ["clone3", "newest", "unknown"] { #expect(log[name] == "ENOSYS", "\(name)") }
    #expect(log["pair"] == "opens")
    let status = try #require(log["status"]?.object)
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
      #expect(status[set]?.string?.allSatisfy { $0 == "0" } == true, "\(status)")
    }
    #expect(status["NoNewPrivs"] == "1" && status["Seccomp"] == "2", "\(status)")
    #expect(status["Uid"]?.string == "65534\t65534\t65534\t65534")
    if getuid() == 0 { #expect(status["Groups"] == "") }
  }

  @Test("the scratch is empty, bounded and gone with the worker; nothing else can be written")
  func scratch() throws {
    let body = """
      {
        "before": os.listdir(os.environ["TMPDIR"]),
        "space": os.statvfs("/dev/shm").f_blocks * os.statvfs("/dev/shm").f_frsize,
        "written": attempt(lambda: open(os.environ["TMPDIR"] + "/x", "w").close()),
        "memory": attempt(lambda: os.write(os.open("/dev/shm/y", os.O_CREAT | os.O_WRONLY), bytes(65 << 20)) < 65 << 20),
      }
      """.split(separator: "\n").joined()
    let folder = try PluginFolder()
    for _ in 0..<2 {
      let log = try logged(body, in: folder)
      #expect(log["before"] == [])
      #expect(log["written"] == "opens")
      #expect(log["space"] == .integer(64 << 20))
      #expect(log["memory"] == true || log["memory"] == "ENOSPC", "\(log)")
    }
  }

  @Test("threads, asyncio, multiprocessing and numpy work")
  func python() throws {
    let hasNumPy = (try? ChildProcess(["python3", "-c", "import numpy"]).wait().code) == 0
    let folder = try PluginFolder()
    let path = try folder.plugin(
      """
      results = []
      threads = [threading.Thread(target=lambda: results.append(compute())) for _ in range(4)]
      for thread in threads: thread.start()
      for thread in threads: thread.join()
      with multiprocessing.Pool(2) as pool: squares = pool.map(abs, [-1, -2, -3])
      with tempfile.NamedTemporaryFile() as file: file.write(b"x"); file.flush()
      with sqlite3.connect(os.environ["HOME"] + "/a.db") as base: base.execute("create table t (x)")
      reply(id=rid, score=sum(results), log={"pool": squares, "asyncio": asyncio.run(main())})
      """,
      setUp: """
        import asyncio, multiprocessing, sqlite3, subprocess, tempfile, threading
        \(hasNumPy ? "import numpy" : "")
        def compute(): return \(hasNumPy ? "float(numpy.linalg.det(numpy.eye(200) @ numpy.eye(200)))" : "1.0")
        async def main():
            process = await asyncio.create_subprocess_exec("echo", "hi", stdout=asyncio.subprocess.PIPE)
            return [(await process.communicate())[0].decode(), await asyncio.to_thread(lambda: 7)]
        """)
    let suite = try suite([["use": .string(path), "sandbox": "isolated"]])
    let score = try #require(try suite.score([request(0, "x")])[0].score)
    #expect(score.value == 4)
    #expect(score.log["pool"] == [1, 2, 3])
    #expect(score.log["asyncio"] == ["hi\n", 7])
  }

  @Test(
    "a virtual environment, sandbox_read and the reward's folder are shown, read-only; other folders are not"
  )
  func shown() throws {
    let folder = try PluginFolder()
    let other = try PluginFolder()
    let named = try other.file("data.txt", "data")
    let environment = folder.url.appendingPathComponent("elsewhere/venv").path
    let made = try ChildProcess(["python3", "-m", "venv", "--without-pip", environment]).wait()
    try #require(made.code == 0, "\(made.errors)")
    _ = try folder.file("beside.py", "VALUE = 5\n")
    let script = try folder.file(
      "reward.py",
      """
      import os, sys, beside
      def reward(prompts, completions, **columns):
          def reads(path):
              try: return open(path).read()
              except OSError as error: return type(error).__name__
          def writes(path):
              try: open(path, "w"); return 1
              except OSError: return 0
          assert sys.prefix == "\(environment)", sys.prefix
          return [beside.VALUE + (reads("\(named)") == c) + 10 * writes("\(named)") for c in completions]
      """)
    func score(_ more: JSONObject, _ text: String) throws -> Double? {
      var object: JSONObject = [
        "use": .string(script + ":reward"), "sandbox": "isolated",
        "python": .string(environment + "/bin/python3"),
      ]
      for (key, value) in more { object[key] = value }
      return try suite([.object(object)]).score([request(0, text)])[0].total
    }
    #expect(try score([:], "FileNotFoundError") == 6)
    #expect(try score(["sandbox_read": [.string(other.url.path)]], "data") == 6)
    #expect(try score(["sandbox_read": [.string(named)]], "data") == 6)
  }

  @Test("what can't be shown or read is named at the start, as is a Python's own search path")
  func named() throws {
    let folder = try PluginFolder()
    let path = try folder.plugin("reply(id=rid, score=1)")
    func fault(_ object: JSONObject) -> String {
      do {
        _ = try RewardKitTests.suite([.object(object)])
        return "none"
      } catch { return "\(error)" }
    }
    let base: JSONObject = ["use": .string(path), "sandbox": "isolated"]
    func with(_ paths: JSONValue) -> JSONObject {
      var object = base
      object["sandbox_read"] = paths
      return object
    }
    #expect(fault(with(["/no/such/folder"])).contains("/no/such/folder, which does not exist"))
    #expect(fault(with(["/"])).contains("the machine itself"))
    #expect(fault(with(["/proc/1"])).contains("the machine itself"))
    #expect(fault(with("data")).contains("sandbox_read is \"data\", expected a list of folders"))
    if getuid() == 0 {
      // Another user runs it, who may not look into root's folder.
      let closed = try PluginFolder()
      try FileManager.default.setAttributes(
        [.posixPermissions: 0o700], ofItemAtPath: closed.url.path)
      #expect(
        fault(with([.string(closed.url.path)])).contains(
          "\(closed.url.path) can't be read by the user nobody"))
    }
    setenv("PYTHONPATH", folder.url.path + ":/opt:/srv", 1)
    defer { unsetenv("PYTHONPATH") }
    let notes = try RewardKitTests.suite([.object(base)]).takeWarnings().joined()
    for hidden in ["/opt", "/srv"] where FileManager.default.fileExists(atPath: hidden) {
      #expect(notes.contains(hidden) && notes.contains("add sandbox_read"), "\(notes)")
    }
    #expect(!notes.contains(folder.url.path))
  }
}
