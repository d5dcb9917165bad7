# Texts of the room `access`.
too-many-scopes = More than { $limit } scopes for one device.
    .do = Grant a wider one, such as a branch instead of its people.
unknown-scope = “{ $scope }” is no scope.
    .do = Use workspace, shared, branch:CODE, team:CODE or user:EMAIL.
unknown-action = “{ $action }” is no action of a role.
    .do = Write action:domain, for instance { $nearest }; domains are shared, branch, own, administration or a collection.
denied-action = The role “{ $role }” may not { $action ->
        [create] create
        [edit] edit
        [archive] archive
        [reassign] reassign
        [import] import
        [export] export
        [settle] settle conflicts of
        [invite] enrol
       *[other] read
    } records of “{ $collection }”.
    .do = Ask somebody with a wider role.
denied-owner = The role “{ $role }” may { $action ->
        [create] create
        [edit] edit
        [archive] archive
        [reassign] reassign
        [import] import
        [export] export
        [settle] settle conflicts of
        [invite] enrol
       *[other] read
    } only its own and unowned records of “{ $collection }”; this one belongs to somebody else.
    .do = Ask the owner of the record or a manager.
denied-scope = This record of “{ $collection }” is outside the scopes of this replica.
    .do = Act where the record belongs, or ask for a wider scope.
denied-move = A record of “{ $collection }” cannot be moved to where this replica may not write.
    .do = Ask head office, or somebody with both scopes, to move it.
denied-invite = The role “{ $own }” may not enrol devices.
    .do = Ask a manager or the owner for an invitation.
denied-grant = The role “{ $own }” cannot grant the role “{ $role }” with these scopes: it would be more than it has.
    .do = Invite with a lesser role or scope.
denied-new-person = The role “{ $own }” may invite a new person at most as a seller, not as “{ $role }”.
    .do = Invite as a seller, or let the owner add the person first.
builtin-role = The role “{ $role }” is built in and stays as it is.
    .do = Declare a role of another name.
