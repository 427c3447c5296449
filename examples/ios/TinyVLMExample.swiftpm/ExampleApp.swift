import SwiftUI

@main
struct ExampleApp: App {
  @StateObject private var asking = Asking()

  var body: some Scene {
    WindowGroup {
      AskView().environmentObject(asking).task { await asking.load() }
    }
  }
}
