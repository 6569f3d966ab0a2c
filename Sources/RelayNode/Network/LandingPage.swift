internal import Cryptography
internal import Vocabulary

/// What a browser shows for an invitation link: how to use it. Static, without scripts; nothing of the request is shown but what parses as
/// a host and as a secret.
enum LandingPage {
    static let headers: [(String, String)] = [
        ("cache-control", "no-store"), ("referrer-policy", "no-referrer"), ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'"),
    ]

    /// - Returns: nil unless the path is that of an invitation.
    static func page(path: String, host: String?, _ shared: NetworkShared) -> String? {
        guard path.hasPrefix("/i/"), let secret = Base64URL.decode(String(path.dropFirst(3))), secret.count == InvitationLink.secretBytes
        else { return nil }
        let endpoint = host.flatMap { Endpoint($0) ?? Endpoint("\($0):443") }
        let link = endpoint.map { InvitationLink(endpoint: $0, secret: secret, node: shared.node).description } ?? "LINK"
        let name = escape(shared.configuration.nodeName)
        return """
            <!doctype html>
            <html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
            <title>Invitation to \(name)</title>
            <style>
            body{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}
            pre{overflow:auto;padding:1rem;background:#8881}
            </style>
            <h1>You are invited to \(name)</h1>
            <p>This is a link for <code>courier</code>, a messenger with end-to-end encryption. Install it, then run:</p>
            <pre>courier join '\(escape(link))' --handle YOURNAME</pre>
            <p>The link works once or a few times only: do not pass it on.</p>
            </html>

            """
    }

    private static func escape(_ text: String) -> String {
        var escaped = ""
        for character in text {
            switch character {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "'": escaped += "&#39;"
            default: escaped.append(character)
            }
        }
        return escaped
    }
}
