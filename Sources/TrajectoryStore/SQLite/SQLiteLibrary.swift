import CSQLite

/// The SQLite that the program runs with.
public enum SQLiteLibrary {
  /// Its version, as "3.40.1".
  public static var version: String { String(cString: sqlite3_libversion()) }
}
