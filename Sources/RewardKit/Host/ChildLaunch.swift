import CProcesses
import Foundation

/// What a supervised child process is to run, and within which limits; 0 is no limit.
package struct ChildLaunch {
  package var executable: String
  package var arguments: [String]
  /// As `NAME=value` texts.
  package var environment: [String]
  package var directory: String
  var memoryLimit = 0
  var cpuLimit = 0
  var fileLimit = 0
  var processLimit = 0
  var isolation: Isolation?

  /// What to run, without limits; arguments from argv[0].
  package init(executable: String, arguments: [String], environment: [String], directory: String) {
    self.executable = executable
    self.arguments = arguments
    self.environment = environment
    self.directory = directory
  }

  /// Starts a supervisor with the child beneath it; 0 or errno.
  package func spawn(_ worker: inout cprocesses_worker) -> Int32 {
    let folders = isolation?.folders ?? []
    return withCStrings(arguments) { arguments in
      withCStrings(environment) { environment in
        withCStrings(folders) { folders in
          executable.withCString { path in
            directory.withCString { directory in
              var launch = cprocesses_launch(
                path: path, arguments: arguments, environment: environment, directory: directory,
                memory_bytes: Int64(memoryLimit), cpu_seconds: Int64(cpuLimit),
                file_bytes: Int64(fileLimit),
                // The first process of a PID namespace isn't the child's.
                processes: processLimit == 0 ? 0 : Int64(processLimit + (isolation == nil ? 0 : 1)),
                isolated: isolation == nil ? 0 : 1, folders: folders,
                covered_folders: Int64(isolation?.coveredCount ?? 0))
              return cprocesses_spawn(&launch, &worker)
            }
          }
        }
      }
    }
  }
}

/// Lends texts as a C array of C strings that ends with NULL.
private func withCStrings<Result>(
  _ texts: [String],
  _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
  var pointers = texts.map { strdup($0) }
  defer { for pointer in pointers { free(pointer) } }
  pointers.append(nil)
  return pointers.withUnsafeBufferPointer { body($0.baseAddress!) }
}
