// SwiftPM wants a folder of public headers. The engine includes those of the libraries themselves.
