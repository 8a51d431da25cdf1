// Runs code as the image's user would: closures, JSON, text and a file of its own.
import Foundation

func check<Value: Equatable>(_ what: String, _ found: Value, _ wanted: Value) {
    if found != wanted {
        FileHandle.standardError.write(Data("\(what): \(found) instead of \(wanted)\n".utf8))
        exit(1)
    }
}

check("closures", (0...4).map { $0 * $0 }, [0, 1, 4, 9, 16])
check("json", try JSONDecoder().decode([String: [Int]].self, from: Data(#"{"a": [1, 2]}"#.utf8)), ["a": [1, 2]])
check("text", "swarm".uppercased(), "SWARM")
let file = FileManager.default.homeDirectoryForCurrentUser.appendingPathComponent(".smoke-\(getpid())")
try "45\n".write(to: file, atomically: true, encoding: .utf8)
check("a file of its own", try String(contentsOf: file, encoding: .utf8), "45\n")
try FileManager.default.removeItem(at: file)
print("ok swift")
