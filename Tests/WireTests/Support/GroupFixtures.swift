import Vocabulary

/// One frame of every case that groups, KeyPackages and presence brought.
extension Fixture {
    static let stale = Refusal(.staleEpoch, "The conversation is in epoch 0.", epoch: 0)
    static let bundle = CommitBundle(epoch: 3, commit: [0x61, 1, 2], welcome: [0x61, 3], groupInfo: [0x61, 4, 5, 6])

    static func submission(_ kind: SubmissionKind, order: UInt64 = 0) -> Submission {
        Submission(message: id16(0xe3), conversation: id16(0xc1), hub: id32(0xa1), kind: kind, timeToLive: 60, order: order)
    }

    static let testimony = Testimony(restoration: 7, watermark: nil, epoch: 0, group: .zero)

    static let submissions = [
        submission(.found(groupInfo: [0x61, 7]), order: 1), submission(.commit(bundle), order: counterMax),
        submission(.commit(CommitBundle(epoch: 0, commit: [0x61], welcome: nil, groupInfo: [0x62]))),
        submission(.proposal(epoch: 4, message: [0x61, 8, 9])), submission(.testimony(testimony)),
        submission(.testimony(Testimony(restoration: counterMax, watermark: watermark, epoch: 5, group: id32(0xf2), part: answer))),
    ]

    static func event(_ kind: EventKind, payload: [UInt8]) -> Envelope {
        Envelope(
            key: key, number: 8, sender: sender, message: id16(0xe3), kind: kind, epoch: 3, payload: payload, chain: id32(0xf1))
    }

    static let part = WelcomePart(key: key, number: 9, index: 1, count: 2, bytes: payload)
    static let answer = AnswerPart(index: 1, count: Limits.partsMax, bytes: payload)
    static let mark = SealedMark(key: key, device: id32(0xd1), epoch: 3, sealed: payload)
    static let signal = Signal(key: key, sender: sender, epoch: 3, sealed: payload)
    static let claimed = [
        ClaimedKeyPackages(user: id32(0xb1), packages: [[0x61, 1], [0x61, 2]]),
        ClaimedKeyPackages(user: id32(0xb2), refusal: Refusal(.unknownUser, "No such user.")),
    ]
    static let wishes = [
        PresenceWish(user: id32(0xb1), token: bytes32(0x84)), PresenceWish(user: id32(0xb2), token: bytes32(0x85)),
    ]
    static let news = [
        PresenceNews(user: id32(0xb1), presence: .online), PresenceNews(user: id32(0xb2), presence: .offline(lastSeen: nil)),
        PresenceNews(user: id32(0xb3), presence: .offline(lastSeen: 1_700_000_040)),
        PresenceNews(user: id32(0xb4), presence: .offline(lastSeen: 0)),
        PresenceNews(user: id32(0xb5), presence: .online, token: bytes32(0x84)), PresenceNews(user: id32(0xb6), presence: .unreachable),
        PresenceNews(user: id32(0xb7), presence: .unheard, token: bytes32(0x84)),
    ]

    static var groupsOfClient: [ClientFrame] {
        submissions.map { .submit($0) } + [
            .publishKeyPackages(
                RequestID(9), KeyPackageSupply(replaces: true, packages: [[0x61, 1], [0x61, 2]], lastResort: [0x61, 3])),
            .publishKeyPackages(RequestID(.max), KeyPackageSupply(replaces: false, packages: [], lastResort: nil)),
            .claimKeyPackages(RequestID(10), [id32(0xb1), id32(0xb2)]), .claimKeyPackages(RequestID(11), []),
            .fetchGroup(RequestID(12), key), .refetch(key, from: 1, through: 1),
            .refetch(key, from: 7, through: SequenceNumber(unchecked: counterMax)), .mark(mark, devices: [id32(0xd1), id32(0xd2)]),
            .mark(mark, devices: []), .signal(signal), .setBlocked(RequestID(13), users: [id32(0xb1)], conversations: [key, key]),
            .setBlocked(RequestID(14), users: [], conversations: []),
            .presence(PresenceSettings(token: id32(0xf5), sharesLastSeen: true)),
            .presence(PresenceSettings(token: nil, sharesLastSeen: false)), .subscribe(wishes), .subscribe([]),
        ]
    }

    static var groupsOfNode: [NodeFrame] {
        [
            .entry(16, .event(event(.commit, payload: payload))), .entry(17, .event(event(.proposal, payload: payload))),
            .entry(20, .event(event(.restoration, payload: payload))),
            .entry(18, .welcome(part)), .entry(19, .mark(mark)), .done(RequestID(.max)), .keyPackages(RequestID(10), claimed),
            .keyPackages(RequestID(11), []), .keyPackagesLeft(0), .keyPackagesLeft(.max), .group(RequestID(12), answer),
            .signal(signal), .presence(news), .presence([]), .refusedMessage(id16(0xe3), stale),
            .refusedMessage(id16(0xe3), Refusal(.staleEpoch, "", epoch: Epoch(unchecked: counterMax))),
            .entry(20, .failed(Failure(key: key, message: id16(0xe3), refusal: stale))),
        ]
    }

    static var groupsOfLink: [LinkFrame] {
        submissions.map { .entry(9, .submission($0, sender: sender)) } + [
            .entry(10, .event(event(.commit, payload: payload), recipients: [id32(0xd2)])),
            .entry(11, .welcome(part, recipients: [id32(0xd1), id32(0xd2)])), .entry(12, .mark(mark, devices: [id32(0xd2)])),
            .entry(13, .marked(mark, devices: [id32(0xd2), id32(0xd3)])),
            .claimKeyPackages(RequestID(3), by: id32(0xb1), [id32(0xb2), id32(0xb3)]), .keyPackages(RequestID(3), claimed),
            .fetchGroup(RequestID(4), key, by: sender), .group(RequestID(4), answer), .refusedRequest(RequestID(4), stale),
            .refetch(key, by: id32(0xd1), from: 3, through: 4), .signal(signal, recipients: []),
            .signal(signal, recipients: [id32(0xd2)]), .presenceWanted(wishes), .presenceUnwanted([id32(0xb1), id32(0xb2)]),
            .presence(news), .presence([]),
        ]
    }
}
