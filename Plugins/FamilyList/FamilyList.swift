import Foundation
import PackagePlugin

/// Writes the list of model families, so that a family is added by adding its file.
///
/// A family is a file `Name.swift` in the target's folder `Families` that declares `enum Name: ModelFamily`.
@main struct FamilyList: BuildToolPlugin {
  func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
    let folder = target.directoryURL.appending(path: "Families")
    let files = try FileManager.default.contentsOfDirectory(
      at: folder, includingPropertiesForKeys: nil)
    let families = try files.filter { $0.pathExtension == "swift" }.compactMap { file in
      let name = file.deletingPathExtension().lastPathComponent
      let text = try String(contentsOf: file, encoding: .utf8)
      return text.contains("enum \(name): ModelFamily") ? name : nil
    }
    let list = families.sorted().map { "    \($0).self,\n" }.joined()
    let text = """
      extension ModelFamilies {
        /// Every file of the folder Families that declares one, by name.
        static let all: [any ModelFamily.Type] = [
      \(list)  ]
      }

      """
    let written = context.pluginWorkDirectoryURL.appending(path: "FamilyList.txt")
    let output = context.pluginWorkDirectoryURL.appending(path: "FamilyList.swift")
    // Only where it changed: a newer file would be compiled again.
    if (try? String(contentsOf: written, encoding: .utf8)) != text {
      try text.write(to: written, atomically: true, encoding: .utf8)
    }
    return [
      .buildCommand(
        displayName: "Listing \(families.count) model families",
        executable: URL(filePath: "/bin/cp"), arguments: [written.path(), output.path()],
        inputFiles: [written], outputFiles: [output])
    ]
  }
}
