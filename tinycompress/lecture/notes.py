"""The sentences of the lecture notes, each with its place in the lecture.

A claim names the sentences that it decides (`Claim.decides`). Reports, notebooks and the command line quote them from here. What
the notes do not say is introduced as a question of ours.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sentence:
    """One statement of the notes. id: "N1", ...; text: in the notes' own words; english: the same in English.

    shown: where it is shown if no claim decides it, a notebook and its section; empty otherwise.
    """

    id: str
    text: str
    english: str
    shown: str = ""


_ALL = (
    # pruning
    Sentence("N1", "感觉像是具有针对性的 drop-out（暂退法）", "Pruning feels like a dropout with a target."),
    Sentence("N2", "每次 remove 一小部分，不剪掉太多", "Remove a small part each time, not too much."),
    Sentence(
        "N3",
        "再反过来微调，促使 net 能够深挖，高效利用已有的 neuron",
        "Then fine-tune, which makes the net dig deeper and use efficiently the neurons that it has.",
    ),
    Sentence(
        "N4",
        "neuron 对应不统一，有些 neuron 被 2、3 个 neuron 对应，有些是被 1 个对应",
        "Neurons are connected irregularly: some to two or three neurons, some to only one.",
    ),
    Sentence(
        "N5",
        "矩阵运算很不方便",
        "Matrix arithmetic becomes inconvenient.",
        shown="1_pruning, Is it hard to implement?",
    ),
    Sentence(
        "N6",
        "不仅很难以去实施这个策略",
        "The strategy is hard to implement.",
        shown="1_pruning, Is it hard to implement?",
    ),
    Sentence(
        "N7",
        "由于 layer 变得不规则，我们也很难以用 GPU 去加速",
        "Since the layer becomes irregular, it is hard to accelerate on a GPU.",
    ),
    Sentence(
        "N8",
        "通过实际的数据也发现：在删减掉一部分的 weight 后，运算速度也是变慢了",
        "Measured data show it, too: after some of the weights were removed, the speed went down.",
    ),
    Sentence(
        "N9",
        "weight pruning 这个方法不算很有效",
        "All in all, weight pruning is not very effective.",
        shown="1_pruning, All in all: is weight pruning effective?",
    ),
    Sentence(
        "N10",
        "neuron pruning 容易实现一些，就是输入输出的 size 改一下",
        "Neuron pruning is easier: only input and output sizes change.",
    ),
    Sentence(
        "N11",
        "很难通过直接先 train 一个小的 network，再根据需要将它扩大",
        "It is hard to train a small network first and to enlarge it as needed.",
    ),
    # distillation
    Sentence(
        "N12", "Ensemble：多个模型的输出取平均作为最终 output", "Ensemble: average the outputs of several models."
    ),
    Sentence(
        "N13",
        "不是去优化 label 与小模型的输出，而是去优化大的模型的输出和小型模型的输出",
        "Fit the small model's output to the large model's output rather than to the label.",
    ),
    Sentence("N14", "即使大型的模型的输出并非完美", "Even though the large model's output is not perfect."),
    Sentence(
        "N15",
        "小型模型对于某些没有看过数据都有良好的预测结果",
        "The small model predicts well even on some data that it never saw.",
    ),
    Sentence(
        "N16",
        "老师给出的输出其实提供了更多“学习”的信息",
        "Perhaps because the teacher's output holds more to learn from.",
    ),
    Sentence("N17", "让 teacher output 更加平滑", "Make the teacher's output smoother."),
    Sentence(
        "N18",
        "往往加入更多的限制，效果更好：小模型的第 3 层的输出学习大的模型的第 12 层",
        "More constraints usually help: the output of the student's layer 3 learns that of the teacher's layer 12.",
    ),
    # quantization
    Sentence(
        "N19", "用更少的比特去存储一个值，相当于是编码了", "Store a value in fewer bits, which amounts to a code."
    ),
    Sentence(
        "N20",
        "将权重矩阵分区，不同区域只用一个值来代表",
        "Group the weights of a matrix, and let one value stand for each group.",
    ),
    Sentence(
        "N21",
        "在 train 的时候同区域的数据要求相近，以此达到群聚的效果",
        "While training, ask the values of a group to be close, so that they cluster.",
    ),
    Sentence("N22", "huffman 编码", "Huffman coding."),
    Sentence("N23", "binary weight，所有的 weight 只用 01 表示", "Binary weights: every weight is written as 0 or 1."),
    Sentence(
        "N24",
        "效果其实还行：减少模型的自由度，减轻 overfitting 的程度",
        "They work quite well: fewer degrees of freedom, less overfitting.",
    ),
    Sentence("N25", "总的来说就是想办法把压缩参数", "All in all: find ways to compress the parameters."),
    # architecture
    Sentence(
        "N26",
        "每个 filter 只看一个 channel；num_filter == num_channel",
        "Each filter looks at one channel only; there are as many filters as channels.",
    ),
    Sentence(
        "N27",
        "无法看到 channel 和 channel 之间的关系，只能看到单个 channel 局部间的关系",
        "It cannot see relations between channels, only local ones within a channel.",
    ),
    Sentence(
        "N28",
        "每个 filter kernel 的高宽为 1，它只需考虑通道与通道之间的关系",
        "Kernels of height and width 1 consider only relations between channels.",
    ),
    Sentence(
        "N29",
        "略微作数学推导即可知道……是减少了参数量的",
        "A short derivation shows that both together need fewer parameters.",
    ),
    # dynamic computation
    Sentence(
        "N30", "自由调整需要的运算量，从深度和宽度上调整", "Adjust the computation freely, in depth and in width."
    ),
    # the same notes, in the words of those who asked for this lecture
    Sentence(
        "N31",
        "",
        "Irregular weight pruning does not speed up dense matrix math, while neuron pruning does.",
    ),
)
SENTENCES = {sentence.id: sentence for sentence in _ALL}


def where(sentence: Sentence) -> str:
    """Where a sentence is decided or shown, in words: "claims Y1, Y2, Y4", or a notebook's section."""
    from . import claims

    found = [claim.id for claim in claims() if sentence.id in claim.decides]
    if found:
        return f"claim{'s' if len(found) > 1 else ''} {', '.join(found)}"
    return f"notebook {sentence.shown}"
