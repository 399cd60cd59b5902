import Commands
import Foundation
import RewardKit

SubReaper.begin()
// Not exit(): it runs the libraries' last words, and OpenBLAS's wait for ever for threads that could not be started
// (ulimit -v). Everything of ours is written by now.
_exit(runCommandLine(Array(CommandLine.arguments.dropFirst())))
