"""The Merkle tree against the published vectors of Certificate Transparency, and proofs that must not hold."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hub.audit.frontier import Frontier
from hub.audit.merkle import EMPTY_ROOT, consistency_proof, inclusion_proof, leaf_hash, node_hash, root
from hub.audit.proofs import extends, includes

#: The eight inputs and the roots of the trees over the first 0 to 8 of them, as published for RFC 6962 and 9162.
INPUTS = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = [leaf_hash(entry) for entry in INPUTS]

trees = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=70)


def test_roots_are_the_published_ones() -> None:
    assert [root(LEAVES[:size]).hex() for size in range(9)] == ROOTS


def test_every_inclusion_and_consistency_proof_holds_up_to_forty_leaves() -> None:
    leaves = [leaf_hash(str(number).encode()) for number in range(40)]
    for size in range(1, 41):
        tree = leaves[:size]
        for index in range(size):
            proof = inclusion_proof(tree, index)
            assert includes(root=root(tree), size=size, index=index, leaf=tree[index], proof=proof)
        for first in range(size + 1):
            steps = consistency_proof(tree, first) if first else ()
            assert extends(first=first, first_root=root(tree[:first]), second=size, second_root=root(tree), proof=steps)


@given(leaves=trees, data=st.data())
def test_an_inclusion_proof_holds_for_its_own_leaf_place_and_tree_only(
    leaves: list[bytes], data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    top, size, leaf = root(leaves), len(leaves), leaves[index]
    proof = inclusion_proof(leaves, index)
    assert includes(root=top, size=size, index=index, leaf=leaf, proof=proof)
    other = leaf_hash(leaf)
    assert not includes(root=top, size=size, index=index, leaf=other, proof=proof)
    assert not includes(root=other, size=size, index=index, leaf=leaf, proof=proof)
    assert not includes(root=top, size=size, index=index, leaf=leaf, proof=(*proof, other))
    assert not includes(root=top, size=size, index=size, leaf=leaf, proof=proof)
    assert not includes(root=top, size=size, index=-1, leaf=leaf, proof=proof)
    assert not includes(root=top, size=0, index=0, leaf=leaf, proof=proof)
    if proof:
        assert not includes(root=top, size=size, index=index, leaf=leaf, proof=proof[:-1])
        assert not includes(root=top, size=size, index=index, leaf=leaf, proof=(*proof[:-1], other))
    for elsewhere in range(size):
        if leaves[elsewhere] != leaf and elsewhere != index:
            assert not includes(root=top, size=size, index=elsewhere, leaf=leaf, proof=proof)


@given(leaves=trees, data=st.data())
def test_a_consistency_proof_holds_for_its_own_two_trees_only(leaves: list[bytes], data: st.DataObject) -> None:
    first = data.draw(st.integers(1, len(leaves)))
    second = len(leaves)
    old, new = root(leaves[:first]), root(leaves)
    proof = consistency_proof(leaves, first)
    assert extends(first=first, first_root=old, second=second, second_root=new, proof=proof)
    wrong = leaf_hash(old)
    assert not extends(first=first, first_root=wrong, second=second, second_root=new, proof=proof)
    assert not extends(first=first, first_root=old, second=second, second_root=wrong, proof=proof)
    assert not extends(first=first, first_root=old, second=second, second_root=new, proof=(*proof, wrong))
    assert not extends(first=second + 1, first_root=old, second=second, second_root=new, proof=proof)
    assert not extends(first=0, first_root=old, second=second, second_root=new, proof=proof)
    if proof:
        assert not extends(first=first, first_root=old, second=second, second_root=new, proof=proof[:-1])
        assert not extends(first=first, first_root=old, second=second, second_root=new, proof=(wrong, *proof[1:]))
        # A tree of another depth cannot be shown with the same proof.
        assert not extends(first=first, first_root=old, second=second * 2 + 1, second_root=new, proof=proof)


def test_the_empty_tree_is_extended_by_every_tree_without_a_proof() -> None:
    assert extends(first=0, first_root=EMPTY_ROOT, second=3, second_root=root(LEAVES[:3]), proof=())
    assert not extends(first=0, first_root=root(LEAVES[:1]), second=3, second_root=root(LEAVES[:3]), proof=())


@given(leaves=st.lists(st.binary(min_size=32, max_size=32), max_size=70), data=st.data())
def test_a_frontier_grown_in_parts_has_the_root_of_the_whole_tree(leaves: list[bytes], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(leaves)))
    frontier = Frontier().add(leaves[:cut])
    assert frontier.root() == root(leaves[:cut])
    grown = frontier.add(leaves[cut:])
    assert (grown.size, grown.root()) == (len(leaves), root(leaves))


def test_a_leaf_cannot_pass_for_a_node() -> None:
    assert leaf_hash(LEAVES[0] + LEAVES[1]) != node_hash(LEAVES[0], LEAVES[1])
