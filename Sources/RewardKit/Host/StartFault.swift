import CProcesses
import Foundation

/// Why a worker's executable was not reached.
struct StartFault {
  /// A clause whose subject is the plugin.
  let clause: String

  init(_ report: cprocesses_report, _ isolation: Isolation?) {
    let reason = strerror(report.value).map { String(cString: $0) } ?? "error \(report.value)"
    switch Int(report.stage) {
    case CPROCESSES_STAGE_EXECUTE:
      clause =
        "can't be executed: \(reason)"
        + (isolation == nil
          ? "" : " (isolated, it sees its own folder and the system's: sandbox_read shows more)")
    case CPROCESSES_STAGE_DIRECTORY: clause = "can't enter its working folder: \(reason)"
    case CPROCESSES_STAGE_LIMITS: clause = "can't be limited (setrlimit): \(reason)"
    case CPROCESSES_STAGE_FORK: clause = "can't be started (fork): \(reason)"
    case CPROCESSES_STAGE_FOLDER, CPROCESSES_STAGE_UNREADABLE:
      let folders = isolation?.folders ?? []
      let folder =
        folders.indices.contains(Int(report.folder)) ? folders[Int(report.folder)] : "a folder"
      clause = Self.unreadable(folder, report, reason)
    default:
      clause =
        "can't be isolated: \(Self.refusal(report)): \(reason). Isolation is what keeps model-written code from "
        + "this machine; to run without it, say so with sandbox: \"none\""
    }
  }

  private static func unreadable(
    _ folder: String, _ report: cprocesses_report, _ reason: String
  ) -> String {
    if report.stage == CPROCESSES_STAGE_UNREADABLE {
      return
        "can't be isolated: \(folder) can't be read by the user nobody, who runs it: \(reason). Allow others to "
        + "read it (chmod o+rX), or put the reward into another folder"
    }
    if report.value == E2BIG {
      return
        "can't be isolated: \(folder) holds too many files to look through for pipes and sockets: put the reward "
        + "into a folder of its own"
    }
    return "can't be isolated: \(folder) can't be shown in its sandbox: \(reason)"
  }

  private static func refusal(_ report: cprocesses_report) -> String {
    switch Int(report.stage) {
    case CPROCESSES_STAGE_NAMESPACES: "the kernel refuses user namespaces here"
    case CPROCESSES_STAGE_IDENTITY: "the kernel doesn't let it become another user"
    case CPROCESSES_STAGE_DEVICES: "the kernel refuses its device nodes"
    case CPROCESSES_STAGE_SCRATCH: "the kernel refuses its scratch in memory"
    case CPROCESSES_STAGE_PROC:
      "the kernel refuses a /proc of its own (a container that hides parts of /proc is the usual reason)"
    case CPROCESSES_STAGE_FILTER: "the kernel refuses a filter of system calls (seccomp)"
    default: "the kernel refuses its mounts (Linux 5.12 is needed)"
    }
  }
}
